"""Hand one item at a time from one thread to another."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import suppress
from typing import Generic, TypeVar

T = TypeVar("T")
NO_TIMEOUT = -1.0  # the value that Lock.acquire takes for it


class Ended(Exception):  # noqa: N818 - not an error
    """The producer has ended, and all its items have been taken."""


class Handoff(Generic[T]):
    """A queue with room for one item, between a producer thread and a consumer thread; either may end it.

    With `newest_only`, as for a camera, a new item replaces one that was not taken. Otherwise the producer waits until
    the item is taken. The time that a handoff takes is added between two runs of the model, so bare locks are used: a
    Condition, which is written in Python, takes several times as long.
    """

    def __init__(self, *, newest_only: bool) -> None:
        self._newest_only = newest_only
        self._items: deque[T] = deque(maxlen=1)  # append and popleft are atomic
        self._item_put, self._item_taken = _Signal(), _Signal()
        self._ended = False
        self._problem: BaseException | None = None

    def put(self, item: T) -> bool:
        """Put an item; return False if the other side has ended."""
        if not (self._newest_only or self.wait_until_taken()) or self._ended:
            return False
        self._items.append(item)
        self._item_put.set()
        return True

    def get(self, timeout_s: float | None = None) -> T:
        """Wait for the item and take it.

        Raises:
            TimeoutError: no item arrived in time.
            Ended: no more items will arrive. If the producer ended with a problem, that problem is raised instead.

        """
        while True:
            ended = self._ended  # read before the item, or an item put just before the end would be lost
            try:
                item = self._items.popleft()
            except IndexError:
                if ended:
                    raise self._problem or Ended from None
                if not self._item_put.wait(NO_TIMEOUT if timeout_s is None else timeout_s):
                    raise TimeoutError from None
            else:
                self._item_taken.set()
                return item

    def wait_until_taken(self) -> bool:
        """Wait until the item has been taken; return False if the other side has ended."""
        while self._items and not self._ended:
            self._item_taken.wait()
        return not self._ended

    @property
    def empty(self) -> bool:
        """Whether no item is waiting at this moment."""
        return not self._items

    @property
    def ended(self) -> bool:
        """Whether either side has ended."""
        return self._ended

    def end(self, problem: BaseException | None = None) -> None:
        """End, from either side; an item that is waiting can still be taken."""
        if not self._ended:
            self._problem, self._ended = problem, True
        self._item_put.set()
        self._item_taken.set()


class _Signal:
    """A binary semaphore: `set` lets one `wait` return, the present one or the next; a second `set` has no effect."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def set(self) -> None:
        if self._lock.locked():
            with suppress(RuntimeError):  # the other thread has set it in the meantime
                self._lock.release()

    def wait(self, timeout_s: float = NO_TIMEOUT) -> bool:
        """Wait until it is set, and clear it; return False after the time-out."""
        return self._lock.acquire(timeout=timeout_s)
