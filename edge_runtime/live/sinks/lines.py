"""Write lines to a stream whose reader may be slow, such as a full pipe, a stopped terminal or a busy disk."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from edge_runtime.live.sinks.outbox import Outbox

if TYPE_CHECKING:
    from typing import TextIO

CAPACITY = 256  # lines; few, so that after a pause the reader gets recent ones


class QueuedLines:
    """Queue lines and write them in another thread; if the queue is full, the oldest line is dropped and counted.

    Attributes:
        outbox: its queue and counts.

    """

    def __init__(self, stream: TextIO, *, capacity: int = CAPACITY) -> None:
        """Start the writing thread.

        Args:
            stream: a file, pipe or terminal. Its file descriptor is written directly, without the stream's buffer: a
                blocked write holds the lock of the buffer, and the process then cannot exit.
            capacity: maximum number of waiting lines.

        """
        stream.flush()
        self._descriptor = stream.fileno()
        self._encoding, self._errors = stream.encoding, stream.errors or "strict"
        self._problem: OSError | None = None
        self.outbox: Outbox[bytes] = Outbox(
            "standard output", self._deliver, capacity=capacity, attempts=1, noun="lines"
        )

    def write(self, line: str) -> None:
        """Queue a line. If an earlier line failed, raise its OSError, such as BrokenPipeError."""
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
