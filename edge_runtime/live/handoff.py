"""Hand one item at a time from one thread to another."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import suppress
from typing import Generic, TypeVar

T = TypeVar("T")
NO_TIMEOUT = -1.0  # as in Lock.acquire


class Ended(Exception):  # noqa: N818 - no error: there is nothing more to come
    """The giving thread has ended, and all its items have been taken."""


class Handoff(Generic[T]):
    """Hold one item: of a camera the newest, which replaces the older one; otherwise the giver waits until it is taken.

    One thread gives and one takes; either may end. It sits between two runs of the model, so it uses bare locks: the
    bookkeeping of a Condition in Python takes several times as long.
    """

    def __init__(self, *, newest_only: bool) -> None:
        self._newest_only = newest_only
        self._items: deque[T] = deque(maxlen=1)  # giving and taking are single steps
        self._given, self._taken = _Signal(), _Signal()
        self._ended = False
        self._problem: BaseException | None = None

    def put(self, item: T) -> bool:
        """Give an item; return False if the other side has ended."""
        if not (self._newest_only or self.wait_until_taken()) or self._ended:
            return False
        self._items.append(item)
        self._given.set()
        return True

    def get(self, timeout_s: float | None = None) -> T:
        """Wait for the item and take it.

        Raises:
            TimeoutError: no item arrived in time.
            Ended: no more items will arrive. If the giver ended with a problem, that problem is raised instead.

        """
        while True:
            ended = self._ended  # read before the item, or an item given just before the end would be lost
            try:
                item = self._items.popleft()
            except IndexError:
                if ended:
                    raise self._problem or Ended from None
                if not self._given.wait(NO_TIMEOUT if timeout_s is None else timeout_s):
                    raise TimeoutError from None
            else:
                self._taken.set()
                return item

    def wait_until_taken(self) -> bool:
        """Wait until no item is held; return False if the other side has ended."""
        while self._items and not self._ended:
            self._taken.wait()
        return not self._ended

    @property
    def empty(self) -> bool:
        """Return whether no item is held at this moment."""
        return not self._items

    @property
    def ended(self) -> bool:
        """Return whether either side has ended."""
        return self._ended

    def end(self, problem: BaseException | None = None) -> None:
        """End, from either side; an item that is held can still be taken."""
        if not self._ended:
            self._problem, self._ended = problem, True
        self._given.set()
        self._taken.set()


class _Signal:
    """Let one waiting thread continue, or the next one that waits; setting it twice has no further effect."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def set(self) -> None:
        if self._lock.locked():
            with suppress(RuntimeError):  # the other side has set it in the meantime
                self._lock.release()

    def wait(self, timeout_s: float = NO_TIMEOUT) -> bool:
        """Wait until it is set, and clear it; return False on a time-out."""
        return self._lock.acquire(timeout=timeout_s)
