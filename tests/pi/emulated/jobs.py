"""Jobs that take minutes, run three at a time while tests wait for what they ask for."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future

AT_ONCE = 3  # two would leave the cores idle where tests wait for clocks


class Jobs:
    """Jobs by name, begun in their order when this is made.

    Attributes:
        took_s: how long each of those that ended took.

    """

    def __init__(self, jobs: Mapping[str, Callable[[], Any]]) -> None:
        self.took_s: dict[str, float] = {}
        self._jobs = jobs
        self._pool = ThreadPoolExecutor(AT_ONCE)
        self._futures: dict[str, Future[Any]] = {}
        for name in jobs:
            self.begin(name)

    def begin(self, name: str) -> None:
        """Put a job into the queue, also one that ended badly before."""
        self._futures[name] = self._pool.submit(self._run, name)

    def result(self, name: str) -> Any:
        """Wait for what a job gives. Raises what it raised."""
        return self._futures[name].result()

    def close(self) -> None:
        """Begin no more of them, and wait for those that run."""
        self._pool.shutdown(cancel_futures=True)

    def _run(self, name: str) -> Any:
        began_s = time.monotonic()
        try:
            return self._jobs[name]()
        finally:
            self.took_s[name] = time.monotonic() - began_s
