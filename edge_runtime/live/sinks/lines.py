"""Lines for a reader that may be slow: a pipe that is full, a terminal that was stopped, a disk that is busy."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from edge_runtime.live.sinks.outbox import Outbox

if TYPE_CHECKING:
    from typing import TextIO

CAPACITY = 256  # lines; what is read after a hold-up should be of now


class QueuedLines:
    """Lines that are written as fast as they are read; when too many wait, the oldest are dropped and counted.

    Attributes:
        outbox: its queue and counts.

    """

    def __init__(self, stream: TextIO, *, capacity: int = CAPACITY) -> None:
        """Begin to write.

        Args:
            stream: a file, pipe or terminal. It is written to beneath its buffer, whose lock a writer that is stuck
                would hold for ever: the process could not even end.
            capacity: lines that wait at most.

        """
        stream.flush()
        self._descriptor = stream.fileno()
        self._encoding, self._errors = stream.encoding, stream.errors or "strict"
        self._problem: OSError | None = None
        self.outbox: Outbox[bytes] = Outbox(
            "standard output", self._deliver, capacity=capacity, attempts=1, things="lines"
        )

    def write(self, line: str) -> None:
        """Queue a line. Raises the OSError, such as BrokenPipeError, with which a line before it failed."""
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
