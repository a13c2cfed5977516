"""Log lines that a client can cause are aggregated: a flood of requests must not fill a disk."""

from __future__ import annotations

import logging
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

EVERY_S = 60.0
MAX_KINDS = 100


class Seldom:
    """Count repetitions of messages, and decide which are written: one of each kind per EVERY_S seconds."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last: dict[object, tuple[float, int]] = {}

    def unwritten(self, kind: object) -> int | None:
        """Return how many messages of a kind were not written since the last one, or None to not write this one."""
        now_s = self._clock()
        last_s, left_out = self._last.get(kind, (float("-inf"), 0))
        if now_s - last_s < EVERY_S:
            self._last[kind] = last_s, left_out + 1
            return None
        if len(self._last) >= MAX_KINDS:
            self._last.clear()
        self._last[kind] = now_s, 0
        return left_out


class SeldomFilter(logging.Filter):
    """A filter for a logger: one record of each kind per minute, with the number of those that were left out."""

    def __init__(self) -> None:
        super().__init__()
        self._seldom = Seldom()

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is written; add the number of similar ones that were not."""
        kind = (record.name, str(record.msg).partition("\n")[0][:200], record.exc_info and record.exc_info[0])
        left_out = self._seldom.unwritten(kind)
        if left_out:
            record.msg = f"{record.msg} ({left_out} others like it were not logged)"
        return left_out is not None


def limit_logs() -> None:
    """Aggregate what uvicorn and asyncio log: their messages are caused by clients."""
    for name in ("uvicorn.error", "asyncio"):
        logging.getLogger(name).addFilter(_FILTER)


def report_refused_token(address: str) -> None:
    """Report a wrong token on stderr, at most once per EVERY_S seconds for all addresses."""
    left_out = _REFUSED.unwritten("token")
    if left_out is None:
        return
    others = f" ({left_out} other attempts since the last report)" if left_out else ""
    print(f"edge-run: a wrong token was refused, from {address}{others}", file=sys.stderr, flush=True)


_FILTER = SeldomFilter()
_REFUSED = Seldom()
