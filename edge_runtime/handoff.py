"""One place between two threads, in which the next thing to do lies."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

T = TypeVar("T")


class Ended(Exception):  # noqa: N818 - no error: there is nothing more to come
    """The giver has ended, and everything that it gave has been taken."""


class Handoff(Generic[T]):
    """Holds one item: of a camera the newest, which takes the older's place; else the giver waits until it is taken."""

    def __init__(self, *, newest_only: bool) -> None:
        self._newest_only = newest_only
        self._changed = threading.Condition()
        self._items: list[T] = []
        self._ended = False
        self._problem: BaseException | None = None

    def put(self, item: T) -> bool:
        """Lay an item down; False where nobody wants any more."""
        with self._changed:
            while self._items and not self._newest_only and not self._ended:
                self._changed.wait()
            if self._ended:
                return False
            self._items[:] = [item]
            self._changed.notify_all()
            return True

    def get(self, timeout_s: float | None = None) -> T:
        """Take the item, waiting for it.

        Raises:
            TimeoutError: none came in time.
            Ended: none will come. Where the giver ended with a problem, that is raised instead.

        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._items or self._ended, timeout_s):
                raise TimeoutError
            if self._items:
                self._changed.notify_all()
                return self._items.pop()
            raise self._problem or Ended

    def wait_until_taken(self) -> bool:
        """Wait until nothing lies here; False where nobody wants any more."""
        with self._changed:
            self._changed.wait_for(lambda: not self._items or self._ended)
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
        with self._changed:
            if not self._ended:
                self._ended, self._problem = True, problem
            self._changed.notify_all()
