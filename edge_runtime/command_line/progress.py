"""A progress bar on a terminal, without a library, which the runtime must not need."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable

WIDTH = 24
EVERY_S = 0.2


class Progress:
    """Count items and redraw one line from time to time.

    Attributes:
        total: the number of items, once a thread has counted them; None until then.

    """

    def __init__(self, stream: TextIO, count: Callable[[], int]) -> None:
        self.total: int | None = None
        self._stream = stream
        self._done = 0
        self._began_s = time.monotonic()
        self._drawn_s = 0.0
        threading.Thread(target=self._count, args=(count,), name="count", daemon=True).start()

    def step(self) -> None:
        """Count one more item."""
        self._done += 1
        now = time.monotonic()
        if now - self._drawn_s >= EVERY_S:
            self._drawn_s = now
            self._stream.write(f"\r{self.line(now - self._began_s)}\x1b[K")
            self._stream.flush()

    def line(self, elapsed_s: float) -> str:
        """Return the line: a bar once the total is known, the count, the rate, the time left."""
        rate = self._done / elapsed_s if elapsed_s > 0 else 0.0
        if not self.total:
            return f"{self._done:,} images  {rate:.0f}/s"
        part = min(1.0, self._done / self.total)
        filled = int(WIDTH * part)
        left_s = round((self.total - self._done) / rate) if rate and self._done < self.total else 0
        bar = "#" * filled + "." * (WIDTH - filled)
        return (
            f"[{bar}] {part:4.0%}  {self._done:,} of {self.total:,}  {rate:.0f}/s  {left_s // 60}:{left_s % 60:02} left"
        )

    def close(self) -> None:
        """Clear the line."""
        self._stream.write("\r\x1b[K")
        self._stream.flush()

    def _count(self, count: Callable[[], int]) -> None:
        self.total = count()
