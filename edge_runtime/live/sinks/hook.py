"""Run a command on every event: the facts in its environment, the best frame's JPEG on its standard input.

Its standard output is discarded; its standard error goes to that of this process, such as the journal.
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
AT_ONCE = 2  # commands that run in parallel
CAPACITY = 100


class Hook:
    """Run a command on every event, without a shell, a few at the same time, each for a limited time.

    A command that fails or takes too long is reported and not run again: it may have done half of its work.

    Attributes:
        command: the program and its arguments.
        outbox: its queue and counts.

    """

    def __init__(self, command: str | Sequence[str], *, timeout_s: float = TIMEOUT_S) -> None:
        """Check the command; it is not run yet.

        Args:
            command: words, or one text that is split as a shell would split it; no shell is used.
            timeout_s: time limit, after which the command and its child processes are killed.

        Raises:
            SourceError: there is no such program.

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
                start_new_session=True,  # a process group of its own, so that its children can be killed with it
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
    """Return an event as environment variables: EDGE_EVENT, EDGE_LABEL and so on; no value contains a NUL."""
    values = {**event.to_json(), "event": event.kind}
    return {f"EDGE_{key.upper()}": str(value).replace("\0", "") for key, value in values.items()}
