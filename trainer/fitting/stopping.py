"""Stop training on SIGTERM, as a service manager sends it, with one clear line."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from trainer.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def stop_on_sigterm(how_to_go_on: str) -> Iterator[None]:
    """Raise TrainingError in the main thread on SIGTERM; in other threads, do nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: object) -> None:
        raise TrainingError(f"stopped by SIGTERM; continue after the last completed epoch with: {how_to_go_on}")

    earlier = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, earlier)
