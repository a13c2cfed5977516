"""Stop a command on SIGTERM, SIGINT and SIGHUP."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


def stop_signals() -> list[signal.Signals]:
    """Return the signals that end a command: SIGHUP, from a terminal that closes, unless `nohup` ignores it."""
    ending = [signal.SIGTERM, signal.SIGINT]
    return ending if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else [*ending, signal.SIGHUP]


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """Yield an event that SIGTERM, SIGINT and SIGHUP set; a second signal ends the process at once."""
    stop = threading.Event()
    before: dict[int, Any] = {}

    def set_stop(number: int, _: object) -> None:
        stop.set()
        signal.signal(number, before[number])

    for wanted in stop_signals():
        before[wanted] = signal.signal(wanted, set_stop)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
