"""Which commands run a version, and how often one of them ended without being stopped.

Each command has a file in the folder `running`, locked as long as it runs: the kernel releases the lock however the
command ends, and the command removes the file when it is stopped. A file that is not locked is the trace of a crash,
unless it was written before the last start of the device: then the power may have failed.
"""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_runtime.storage.json_files import read_json, write_json
from edge_runtime.update.release import UpdateError

if TYPE_CHECKING:
    from collections.abc import Iterator

RUNNING, FAILURES = "running", "failures.json"
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")  # random(4): another one after each start of the device


class Running:
    """The file of this command."""

    def __init__(self, models: Path, version: str) -> None:
        """Create the file. Raise OSError.

        Args:
            models: the models folder.
            version: the version that this command runs.

        """
        folder = models / RUNNING
        folder.mkdir(exist_ok=True)
        self._descriptor, name = tempfile.mkstemp(dir=folder)
        self._path = Path(name)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        self.runs(version)

    def runs(self, version: str) -> None:
        """Record another version. Raise OSError."""
        content = json.dumps({"version": version, "boot": _boot()}).encode()
        os.pwrite(self._descriptor, content.ljust(os.fstat(self._descriptor).st_size), 0)

    def stopped(self) -> None:
        """Remove the file: the command ends because it was stopped, or its source has ended."""
        self._path.unlink(missing_ok=True)
        os.close(self._descriptor)


def count_failures(models: Path, version: str) -> int:
    """Return how often a command that ran a version ended without being stopped, since the device was started.

    Every other version's count is forgotten. Raise UpdateError or OSError.
    """
    path = models / FAILURES
    known = read_json(path, UpdateError) if path.exists() else {}
    before = int(known["failures"]) if known.get("version") == version else 0
    new: int = sum(trace.get("version") == version and trace.get("boot") == _boot() for trace in _taken_traces(models))
    if new:
        write_json(path, {"version": version, "failures": before + new})
    return before + new


def _taken_traces(models: Path) -> Iterator[dict[str, Any]]:
    """Remove the files of commands that no longer run, and yield their content."""
    folder = models / RUNNING
    for path in folder.iterdir() if folder.is_dir() else ():
        try:
            with path.open("rb") as stream:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                content = stream.read()
                path.unlink()  # of two commands that start at the same time, one counts it
        except (BlockingIOError, FileNotFoundError):
            continue
        try:
            trace = json.loads(content)
        except ValueError:  # the command ended while it wrote it
            continue
        if isinstance(trace, dict):
            yield trace


def _boot() -> str:
    try:
        return BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""
