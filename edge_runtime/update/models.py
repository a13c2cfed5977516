"""The models folder of a device: whole versions, the link `current`, and what is known about each version.

versions/CHANNEL-N-DIGEST/   bundles; the current one and the one before, no others
current                      a link to one of them, replaced by one rename
previous                     the version to go back to
state.json                   what was decided about each version, and why
trust/                       the signed metadata that this device has accepted
partial/                     downloads that are not complete
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_runtime.storage.json_files import read_json, sync_folder, write_json
from edge_runtime.update.release import UpdateError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator


CURRENT, PREVIOUS = "current", "previous"
MAX_REFUSED = 50  # versions that are remembered as refused


@dataclass(frozen=True)
class Models:
    """The models folder; only one process at a time may change it, see `locked`."""

    folder: Path

    @property
    def versions(self) -> Path:
        """Return the folder of the bundles."""
        return self.folder / "versions"

    @property
    def partial(self) -> Path:
        """Return the folder of unfinished downloads."""
        return self.folder / "partial"

    @property
    def trust(self) -> Path:
        """Return the folder of accepted metadata."""
        return self.folder / "trust"

    def current(self) -> str | None:
        """Return the name of the current version, or None."""
        return self._target(CURRENT)

    def previous(self) -> str | None:
        """Return the name of the version before, or None."""
        return self._target(PREVIOUS)

    def refused(self, channel: str) -> dict[int, str]:
        """Return the versions of a channel that this device does not try again, each with the reason."""
        entries = self._state().get("refused", [])
        return {entry["version"]: entry["reason"] for entry in entries if entry["channel"] == channel}

    def refuse(self, channel: str, version: int, reason: str) -> None:
        """Record that this device does not take a release again."""
        from datetime import datetime, timezone

        state = self._state()
        entry = {
            "channel": channel,
            "version": version,
            "reason": reason,
            "at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        }
        state["refused"] = [*state.get("refused", []), entry][-MAX_REFUSED:]
        write_json(self.folder / "state.json", state)

    def switch(self, name: str) -> None:
        """Make a version the current one by one rename, and keep the one that was current as the previous one."""
        before = self.current()
        if before == name:
            return
        if before:
            self._link(PREVIOUS, before)
        self._link(CURRENT, name)

    def take_back(self) -> str:
        """Make the previous version the current one again and return its name. Raise UpdateError if there is none."""
        before = self.previous()
        if before is None or not (self.versions / before).is_dir():
            raise UpdateError(f"{self.folder}: there is no previous version to go back to")
        self._link(CURRENT, before)
        return before

    def tidy(self, keep: str | None = None, parts: Collection[str] = ()) -> None:
        """Remove what no longer has a purpose: other versions, and what unfinished downloads have left.

        Args:
            keep: a version to keep in addition to the current and the previous one.
            parts: names of unfinished downloads to keep, so that they can be continued.

        """
        import shutil  # not at the top: every start of edge-run watch imports this module

        kept = {self.current(), self.previous(), keep}
        for entry in self._entries(self.versions):
            if entry.name not in kept:
                shutil.rmtree(entry, ignore_errors=True)
        for entry in self._entries(self.partial):
            if entry.name not in parts:
                entry.unlink(missing_ok=True)

    def _entries(self, folder: Path) -> list[Path]:
        return list(folder.iterdir()) if folder.is_dir() else []

    def _state(self) -> dict[str, Any]:
        path = self.folder / "state.json"
        return read_json(path, UpdateError) if path.exists() else {}

    def _target(self, link: str) -> str | None:
        try:
            return (self.folder / link).readlink().name
        except OSError:  # no link: there is no such version yet
            return None

    def _link(self, link: str, name: str) -> None:
        temporary = self.folder / f".{link}.partial"
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(Path("versions") / name)
        temporary.rename(self.folder / link)
        sync_folder(self.folder)


@contextmanager
def locked(folder: Path) -> Iterator[Models]:
    """Open the models folder for changes; create it if needed. Raise UpdateError if another process changes it."""
    import fcntl

    models = Models(folder)
    try:
        for part in (models.versions, models.partial, models.trust):
            part.mkdir(parents=True, exist_ok=True)
        claim = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as problem:
        raise UpdateError(f"{folder}: cannot be written: {problem.strerror}") from None
    try:
        fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield models
    except BlockingIOError:
        raise UpdateError(f"{folder}: another update is running in it") from None
    finally:
        os.close(claim)
