"""Run a command on every event.

The command gets the event in its environment variables and the best frame as a JPEG on its standard input. Its standard
output is discarded. Its standard error goes to the standard error of this process, such as the journal.
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
    from collections.abc import Mapping, Sequence

    from edge_runtime.live.records import Event, FramePrediction

TIMEOUT_S = 30.0
WORKERS = 2  # commands that run in parallel
CAPACITY = 100
# What a command gets of this process's environment: no tokens, and not systemd's socket for notifications.
INHERITED = frozenset(
    [
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "SHELL",
        "LANG",
        "LANGUAGE",
        "TZ",
        "TMPDIR",
        "STATE_DIRECTORY",
        "CACHE_DIRECTORY",
        "RUNTIME_DIRECTORY",
        "XDG_RUNTIME_DIR",
        "DISPLAY",
        "WAYLAND_DISPLAY",
        "DBUS_SESSION_BUS_ADDRESS",
        "PULSE_SERVER",
    ]
)


class Hook:
    """Run a command on every event, without a shell, with a time limit, and at most WORKERS in parallel.

    A command that fails or takes too long is reported and not run again, because it may have done part of its work.

    Attributes:
        command: the program and its arguments.
        outbox: its queue and counts.

    """

    def __init__(self, command: str | Sequence[str], *, timeout_s: float = TIMEOUT_S) -> None:
        """Check the command; it is not run yet.

        Args:
            command: the program and its arguments, or one string, which is split as a shell would split it.
            timeout_s: time limit in seconds, after which the command and its child processes are killed.

        Raises:
            SourceError: there is no such executable.

        """
        try:
            self.command = shlex.split(command) if isinstance(command, str) else list(command)
        except ValueError as problem:
            raise SourceError(f"--on-event {command!r}: {problem}") from None
        if not self.command or not shutil.which(self.command[0]):
            raise SourceError(
                f"--on-event {command!r}: no such executable; check its path, and make a script executable (chmod +x)"
            )
        self._timeout_s = timeout_s
        self._running: set[int] = set()  # the process groups
        self.outbox = Outbox("on-event", self._run, workers=WORKERS, capacity=CAPACITY)

    def prediction(self, prediction: FramePrediction) -> None:
        """Ignore it: the command is for events."""

    def event(self, event: Event) -> None:
        """Queue an event."""
        self.outbox.put(event)

    def close(self) -> None:
        """Run what is queued, within a few seconds, and kill what then still runs, with its child processes."""
        self.outbox.close()
        for group in tuple(self._running):
            _kill(group)

    def _run(self, event: Event) -> None:
        try:
            process = subprocess.Popen(
                self.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                env={**_inherited(os.environ), **event_variables(event)},
                start_new_session=True,  # a process group of its own, so that its children can be killed with it
            )
        except OSError as problem:
            raise DeliveryRefused(f"{self.command[0]}: {problem.strerror}") from None
        self._running.add(process.pid)
        if self.outbox.expired():  # `close` may have killed the others before
            _kill(process.pid)
        with process:
            try:
                process.communicate(event.thumbnail or b"", self._timeout_s)
            except subprocess.TimeoutExpired:
                _kill(process.pid)
                raise DeliveryRefused(f"{self.command[0]}: killed after {self._timeout_s:g} s") from None
            finally:
                self._running.discard(process.pid)  # before it is waited for, after which the number may be used again
        if process.returncode:
            raise DeliveryRefused(f"{self.command[0]}: exit code {process.returncode}")


def _kill(group: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def _inherited(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that a command inherits."""
    return {key: value for key, value in environment.items() if key in INHERITED or key.startswith("LC_")}


def event_variables(event: Event) -> dict[str, str]:
    """Return an event as environment variables such as EDGE_EVENT and EDGE_LABEL.

    NUL characters, which an environment variable cannot contain, are removed; a missing value is an empty text.
    """
    values = {**event.to_json(), "event": event.kind}
    return {
        f"EDGE_{key.upper()}": "" if value is None else str(value).replace("\0", "") for key, value in values.items()
    }
