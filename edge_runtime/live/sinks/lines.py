"""Lines for a reader that may be slow: a full pipe, a stopped terminal, a busy disk."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from edge_runtime.live.sinks.outbox import Outbox

if TYPE_CHECKING:
    from typing import TextIO

CAPACITY = 256  # lines; after a pause the reader should get recent ones


class QueuedLines:
    """Lines that are written as fast as they are read; if too many are waiting, the oldest are dropped and counted.

    Attributes:
        outbox: its queue and counts.

    """

    def __init__(self, stream: TextIO, *, capacity: int = CAPACITY) -> None:
        """Start the writing thread.

        Args:
            stream: a file, pipe or terminal. The file descriptor is written directly, not through the stream's buffer:
                a blocked writer would hold the buffer's lock for ever, and the process could not even exit.
            capacity: maximum number of waiting lines.

        """
        stream.flush()
        self._descriptor = stream.fileno()
        self._encoding, self._errors = stream.encoding, stream.errors or "strict"
        self._problem: OSError | None = None
        self.outbox: Outbox[bytes] = Outbox(
            "standard output", self._deliver, capacity=capacity, attempts=1, things="lines"
        )

    def write(self, line: str) -> None:
        """Queue a line. Raise the OSError, such as BrokenPipeError, with which an earlier line failed."""
        if self._problem:
            raise self._problem
        self.outbox.put(line.encode(self._encoding, self._errors))

    def close(self) -> None:
        """Write what is queued, within a few seconds."""
        self.outbox.close()

    def _deliver(self, line: bytes) -> None:
        try:
            while line and not self._problem:
                line = line[os.write(self._descriptor, line) :]
        except OSError as problem:
            self._problem = problem
