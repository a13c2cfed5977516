"""Run jobs that take minutes in the background; tests wait only for the results that they use."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future

WORKERS = 3  # more than two, because some jobs wait for clocks and leave a core idle


class Jobs:
    """Named jobs, which are started in their order.

    Attributes:
        durations_s: seconds that each finished job took.

    """

    def __init__(self, jobs: Mapping[str, Callable[[], Any]]) -> None:
        self.durations_s: dict[str, float] = {}
        self._jobs = jobs
        self._pool = ThreadPoolExecutor(WORKERS)
        self._futures: dict[str, Future[Any]] = {}
        for name in jobs:
            self.start(name)

    def start(self, name: str) -> None:
        """Queue a job; one that failed can be queued again."""
        self._futures[name] = self._pool.submit(self._run, name)

    def result(self, name: str) -> Any:
        """Wait for the result of a job. Raise the exception of a job that failed."""
        return self._futures[name].result()

    def close(self) -> None:
        """Cancel the queued jobs and wait for those that run."""
        self._pool.shutdown(cancel_futures=True)

    def _run(self, name: str) -> Any:
        began_s = time.monotonic()
        try:
            return self._jobs[name]()
        finally:
            self.durations_s[name] = time.monotonic() - began_s
