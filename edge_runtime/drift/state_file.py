"""Keep the state of a monitor in a file, so that it survives a restart."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any

from edge_runtime.errors import EdgeError
from edge_runtime.storage.json_files import read_json, write_json

if TYPE_CHECKING:
    from pathlib import Path

    from edge_runtime.drift.monitor import Monitor

SAVE_S = 60.0


class StateFile:
    """The file of one monitor; it is written in a thread of its own, at most once a minute."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._saved_s = float("-inf")
        self._writing: threading.Thread | None = None
        self._failed = False

    def restore(self, monitor: Monitor) -> None:
        """Restore a monitor from the file. A file that cannot be used is reported and later replaced."""
        if not self.path.exists():
            return
        try:
            data = read_json(self.path, EdgeError)
            if data.get("baseline") != monitor.baseline.to_json():
                self._report("belongs to another model; what is usual is learnt again")
                return
            monitor.restore(data["state"])
        except EdgeError as problem:
            self._report(f"{problem}; what is usual is learnt again")
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as problem:
            self._report(f"not the state of edge-run ({problem!r}); what is usual is learnt again")

    def save(self, monitor: Monitor, now_s: float) -> None:
        """Save the state if the last time is a minute ago.

        Args:
            monitor: its state.
            now_s: monotonic time in seconds.

        """
        if now_s - self._saved_s < SAVE_S or (self._writing and self._writing.is_alive()):
            return
        self._saved_s = now_s
        self._writing = threading.Thread(target=self._write, args=(self._content(monitor),), name="drift", daemon=True)
        self._writing.start()

    def close(self, monitor: Monitor) -> None:
        """Save the state now."""
        if self._writing:
            self._writing.join()
        self._write(self._content(monitor))

    def _content(self, monitor: Monitor) -> dict[str, Any]:
        return {"baseline": monitor.baseline.to_json(), "state": monitor.to_json()}

    def _write(self, content: dict[str, Any]) -> None:
        try:
            write_json(self.path, content)
            self._failed = False
        except OSError as problem:
            if not self._failed:  # a full disk is reported once
                self._report(f"cannot be written: {problem.strerror or problem}; it is tried again every minute")
            self._failed = True

    def _report(self, what: str) -> None:
        print(f"edge-run: {self.path}: {what}", file=sys.stderr, flush=True)
