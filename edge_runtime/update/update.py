"""One update: read the repository, choose a release, fetch it, prove it here, switch."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from edge_runtime.storage.digest import sha256_of
from edge_runtime.storage.publish import published_folder
from edge_runtime.update.models import CURRENT
from edge_runtime.update.prove import Limits, Refused, prove
from edge_runtime.update.release import UpdateError
from edge_runtime.update.repository import open_repository
from edge_runtime.update.rollout import chosen, device_identity
from edge_runtime.update.transport import download

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from edge_runtime.model.manifest import BundleFile
    from edge_runtime.update.models import Models
    from edge_runtime.update.release import Release

SPARE_BYTES = 10_000_000  # left free on the card after an update

State = Literal["current", "switched", "refused", "none"]


@dataclass(frozen=True)
class Source:
    """Where a device gets its releases.

    Attributes:
        repository: a URL or a folder.
        channel: such as "stable".
        root: the publisher's first root metadata; needed at the first update only.

    """

    repository: str
    channel: str
    root: Path | None = None


@dataclass(frozen=True)
class Outcome:
    """The result of an update.

    Attributes:
        state: "current" if there is nothing newer, "switched", "refused", or "none" if the channel has no release for
            this device.
        release: the release, or None.
        message: one line for people.
        fetched_bytes: what was downloaded.

    """

    state: State
    release: Release | None
    message: str
    fetched_bytes: int = 0


def update_once(models: Models, source: Source, limits: Limits, report: Callable[[str], None]) -> Outcome:
    """Bring the newest release that this device may take, if it proves itself here.

    Args:
        models: the models folder, locked.
        source: the repository and channel.
        limits: what a model may cost on this device.
        report: called with one line for each step.

    Raises:
        UpdateError: the repository cannot be read or trusted, or the release cannot be fetched. Nothing has changed.

    """
    repository = open_repository(source.repository, models.trust, source.root)
    refused = models.refused(source.channel)
    release = chosen(repository.releases, source.channel, device_identity(), refused)
    current = _release_of(models.current(), repository.releases)
    if release is None:
        models.tidy()
        return Outcome("none", None, f"{source.channel}: no release for this device")
    if release.folder == models.current() or _stays(current, release):
        models.tidy()
        return Outcome("current", release, f"{models.current()} is current")
    files = repository.files_of(release)
    models.tidy(release.folder, {file.sha256 for file in files.values()})
    report(f"{release}: fetching {len(files)} files")
    fetched_bytes = fetch(models, source.repository, release, files)
    folder = models.versions / release.folder
    report(f"{release}: fetched {fetched_bytes / 1e6:.1f} MB; checking it on this device")
    try:
        cost = prove(folder, release, limits, models.folder / CURRENT if models.current() else None)
    except Refused as problem:
        models.refuse(release, str(problem))
        models.tidy()
        return Outcome("refused", release, f"{release} is refused: {problem}", fetched_bytes)
    models.switch(release.folder)
    models.tidy()
    message = f"{release} is now current; one inference takes {cost.inference_ms:.2f} ms here"
    return Outcome("switched", release, message, fetched_bytes)


def fetch(models: Models, location: str, release: Release, files: Mapping[str, BundleFile]) -> int:
    """Make the bundle of a release complete in the models folder and return how many bytes were downloaded.

    Files that this device has already, in another version or from an interrupted attempt, are not downloaded again.

    Raises:
        UpdateError: a file cannot be had, or there is no space for it.

    """
    folder = models.versions / release.folder
    if folder.is_dir():  # fetched by an attempt that ended later
        return 0
    have = _known_content(models)
    missing = {file.sha256: file for file in files.values() if file.sha256 not in have}
    _require_space(models.folder, sum(file.size_bytes for file in files.values()))
    for file in missing.values():
        download(location, file, models.partial / file.sha256)
    with published_folder(folder, overwrite=False, error=UpdateError) as staging:
        for file in files.values():
            path = staging / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(have.get(file.sha256, models.partial / file.sha256), path)
            if sha256_of(path) != file.sha256:
                raise UpdateError(f"{path}: damaged while it was copied; run the update again")
    return sum(file.size_bytes for file in missing.values())


def _known_content(models: Models) -> dict[str, Path]:
    """Return the files of the versions on this device, by digest."""
    if not models.versions.is_dir():
        return {}
    return {sha256_of(path): path for path in _regular_files(models.versions)}


def _regular_files(folder: Path) -> Iterable[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink())


def _require_space(folder: Path, needed: int) -> None:
    status = os.statvfs(folder)
    free = status.f_bavail * status.f_frsize
    if free < 2 * needed + SPARE_BYTES:  # the download and its copy in the bundle
        raise UpdateError(
            f"{folder}: {free / 1e6:.0f} MB are free, and the update needs {(2 * needed + SPARE_BYTES) / 1e6:.0f} MB; "
            "free some space"
        )


def _release_of(name: str | None, releases: Iterable[Release]) -> Release | None:
    return next((release for release in releases if release.folder == name), None)


def _stays(current: Release | None, candidate: Release) -> bool:
    """Return whether the current release stays although the candidate is another: it is newer and not withdrawn."""
    return current is not None and not current.facts.withdrawn and current.version > candidate.version
