"""A command run on every event: the facts in its environment, the best frame's JPEG on its standard input.

Its standard output goes nowhere, its standard error where ours goes, such as the journal.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

from edge_runtime.errors import SourceError
from edge_runtime.live.sinks.outbox import DeliveryRefused, Outbox

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_runtime.live.records import Event, FramePrediction

TIMEOUT_S = 30.0
AT_ONCE = 2  # commands that run side by side
CAPACITY = 100


class Hook:
    """Runs a command on every event, without a shell, a few at a time, each for a bounded time.

    A command that fails or overstays is told and not run again: it may have done half its work.

    Attributes:
        command: the program and its arguments.
        outbox: its queue and counts.

    """

    def __init__(self, command: str | Sequence[str], *, timeout_s: float = TIMEOUT_S) -> None:
        """Check the command; nothing is run yet.

        Args:
            command: words, or one text that is split as a shell would, but never given to one.
            timeout_s: after which it and what it started are killed.

        Raises:
            SourceError: no such program.

        """
        try:
            self.command = shlex.split(command) if isinstance(command, str) else list(command)
        except ValueError as problem:
            raise SourceError(f"--on-event {command!r}: {problem}") from None
        if not self.command or not shutil.which(self.command[0]):
            raise SourceError(f"--on-event {command!r}: no such program; give its path, and a script its x permission")
        self._timeout_s = timeout_s
        self.outbox = Outbox("on-event", self._run, workers=AT_ONCE, capacity=CAPACITY)

    def prediction(self, prediction: FramePrediction) -> None:
        """Ignore it: the command is for events."""

    def event(self, event: Event) -> None:
        """Queue an event."""
        self.outbox.put(event)

    def close(self) -> None:
        """Run what is queued, within a few seconds."""
        self.outbox.close()

    def _run(self, event: Event) -> None:
        try:
            process = subprocess.Popen(
                self.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                env={**os.environ, **facts(event)},
                start_new_session=True,  # a group of its own, so that its children can be ended with it
            )
        except OSError as problem:
            raise DeliveryRefused(f"{self.command[0]}: {problem.strerror}") from None
        with process:
            try:
                process.communicate(event.thumbnail or b"", self._timeout_s)
            except subprocess.TimeoutExpired:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                raise DeliveryRefused(f"{self.command[0]}: killed after {self._timeout_s:g} s") from None
        if process.returncode:
            raise DeliveryRefused(f"{self.command[0]}: exit code {process.returncode}")


def facts(event: Event) -> dict[str, str]:
    """Give an event as environment variables: EDGE_EVENT, EDGE_LABEL and so on; no value holds a NUL."""
    values = {**event.to_json(), "event": event.kind}
    return {f"EDGE_{key.upper()}": str(value).replace("\0", "") for key, value in values.items()}
