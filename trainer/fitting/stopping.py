"""Turn SIGTERM, which a service manager sends, into an error that says how to resume the training."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from trainer.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def stop_on_sigterm(resume_command: str) -> Iterator[None]:
    """Raise TrainingError on SIGTERM inside of the block; outside of the main thread, do nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: object) -> None:
        raise TrainingError(f"stopped by SIGTERM; continue after the last completed epoch with: {resume_command}")

    previous = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
