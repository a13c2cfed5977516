"""Sessions of browsers: a random cookie that expires and can be ended. They are kept in memory only."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

SESSION_S = 30 * 24 * 3600
MAX_SESSIONS = 1000


class Sessions:
    """The open sessions, by their cookie's value; a restart of the server ends them all."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ends_s: dict[str, float] = {}

    def start(self) -> str:
        """Start a session and return its cookie's value; the oldest session ends if there are too many."""
        if len(self._ends_s) >= MAX_SESSIONS:
            del self._ends_s[next(iter(self._ends_s))]
        value = secrets.token_urlsafe(32)
        self._ends_s[value] = self._clock() + SESSION_S
        return value

    def is_open(self, value: str) -> bool:
        """Return whether a cookie belongs to an open session.

        A value of 256 random bits cannot be found by the time that the look-up takes.
        """
        return self._clock() < self._ends_s.get(value, float("-inf"))

    def end(self, value: str) -> None:
        """End a session; an unknown one is no error."""
        self._ends_s.pop(value, None)
