"""Run a function in a thread while a server runs in the main thread."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LAST_S = 10.0  # how long the function may take to end after the block


@contextmanager
def in_background(function: Callable[[], object], stop: threading.Event) -> Iterator[None]:
    """Run a function in a thread during the block.

    Args:
        function: ends soon after `stop` is set.
        stop: set at the end of the block; also set when the function fails, which must end the block.

    Raises:
        BaseException: what the function raised, after the block.

    """
    problems: list[BaseException] = []

    def run() -> None:
        """Call the function, and keep its exception."""
        try:
            function()
        except BaseException as problem:  # noqa: BLE001 - raised again in the main thread
            problems.append(problem)
            stop.set()

    thread = threading.Thread(target=run, name=getattr(function, "__name__", "background"), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(LAST_S)
    if problems:
        raise problems[0]
