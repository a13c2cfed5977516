"""One place between two threads, in which the next thing to do lies."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import suppress
from typing import Generic, TypeVar

T = TypeVar("T")
NO_TIMEOUT = -1.0  # as Lock.acquire has it


class Ended(Exception):  # noqa: N818 - no error: there is nothing more to come
    """The giver has ended, and everything that it gave has been taken."""


class Handoff(Generic[T]):
    """Holds one item: of a camera the newest, which takes the older's place; else the giver waits until it is taken.

    One thread gives and one takes; any may end. It lies between two runs of the model, so it is built of bare locks: a
    Condition's bookkeeping in Python takes several times as long.
    """

    def __init__(self, *, newest_only: bool) -> None:
        self._newest_only = newest_only
        self._items: deque[T] = deque(maxlen=1)  # to lay down and to take is one step each
        self._given, self._taken = _Signal(), _Signal()
        self._ended = False
        self._problem: BaseException | None = None

    def put(self, item: T) -> bool:
        """Lay an item down; False where nobody wants any more."""
        if not (self._newest_only or self.wait_until_taken()) or self._ended:
            return False
        self._items.append(item)
        self._given.set()
        return True

    def get(self, timeout_s: float | None = None) -> T:
        """Take the item, waiting for it.

        Raises:
            TimeoutError: none came in time.
            Ended: none will come. Where the giver ended with a problem, that is raised instead.

        """
        while True:
            ended = self._ended  # before the look, or what was given just before the end would be lost
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
        """Wait until nothing lies here; False where nobody wants any more."""
        while self._items and not self._ended:
            self._taken.wait()
        return not self._ended

    @property
    def empty(self) -> bool:
        """Whether nothing lies here at this moment."""
        return not self._items

    @property
    def ended(self) -> bool:
        """Whether either side has said that nothing more comes or is wanted."""
        return self._ended

    def end(self, problem: BaseException | None = None) -> None:
        """Say, from either side, that nothing more comes or is wanted; what lies here can still be taken."""
        if not self._ended:
            self._problem, self._ended = problem, True
        self._given.set()
        self._taken.set()


class _Signal:
    """Lets one waiting thread go on, or the next that waits; set twice is set once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def set(self) -> None:
        if self._lock.locked():
            with suppress(RuntimeError):  # the other side has set it meanwhile
                self._lock.release()

    def wait(self, timeout_s: float = NO_TIMEOUT) -> bool:
        """Wait until it is set, and take it back; False where that did not come in time."""
        return self._lock.acquire(timeout=timeout_s)
