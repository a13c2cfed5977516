"""A request to stop, as a service manager sends it, becomes one clear line."""

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
    """Raise TrainingError in the main thread when SIGTERM comes; elsewhere than there, do nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: object) -> None:
        raise TrainingError(f"stopped by SIGTERM; {how_to_go_on} goes on from the last whole epoch")

    earlier = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, earlier)
