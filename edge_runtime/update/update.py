"""One update: read the repository, choose a release, fetch it, prove it here, switch."""

from __future__ import annotations

import math
import os
import shutil
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from edge_runtime.storage.digest import sha256_of
from edge_runtime.storage.publish import published_folder
from edge_runtime.update.models import CURRENT
from edge_runtime.update.prove import Limits, Refused, prove
from edge_runtime.update.release import UpdateError
from edge_runtime.update.repository import open_repository
from edge_runtime.update.rollout import chosen, device_identity
from edge_runtime.update.transport import download
from edge_runtime.update.trial import ShadowRules, Trial, end_trial, judge, probation_of, read_report, write_trial

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from edge_runtime.model.manifest import BundleFile
    from edge_runtime.update.models import Models
    from edge_runtime.update.release import Release

POLL_S = 1.0
SILENCE_S = 30.0  # a running command reports at least this often
SPARE_BYTES = 10_000_000  # left free on the card after an update

State = Literal["current", "switched", "refused", "waiting", "none"]


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
        state: "current" if there is nothing newer, "switched", "refused", "waiting" if no command runs the current
            model, so that the release could not be tried in its shadow, or "none" if the channel has no release for
            this device.
        release: the release, or None.
        message: one line for people.
        fetched_bytes: what was downloaded.

    """

    state: State
    release: Release | None
    message: str
    fetched_bytes: int = 0


@dataclass(frozen=True)
class Steps:
    """How a release is tried before and after it decides.

    Attributes:
        shadow_s: seconds in the shadow of the current model; 0 leaves this step out.
        share: the largest share of one processor that the shadow may use, 0..1.
        rules: what it must do there.
        probation_s: seconds in which it is taken back if it fails; 0 leaves this step out.

    """

    shadow_s: float = 600.0
    share: float = 0.1
    rules: ShadowRules = ShadowRules()  # noqa: RUF009 - a frozen value
    probation_s: float = 3600.0


def update_once(models: Models, source: Source, limits: Limits, steps: Steps, report: Callable[[str], None]) -> Outcome:
    """Install the newest release that this device may take, if it proves itself here.

    Args:
        models: the models folder, locked.
        source: the repository and channel.
        limits: what a model may cost on this device.
        steps: how it is tried.
        report: called with one line for each step.

    Raises:
        UpdateError: the repository cannot be read or trusted, or the release cannot be fetched. Nothing has changed.

    """
    repository = open_repository(source.repository, models.trust, source.root)
    release = chosen(repository.releases, source.channel, device_identity(), models.refused(source.channel))
    current = _release_of(models.current(), repository.releases)
    if release is None:
        models.tidy()
        return Outcome("none", None, f"{source.channel}: no release for this device")
    if release.folder == models.current() or _stays(current, release):
        models.tidy()
        return Outcome("current", release, f"{models.current()} is current")
    probation = probation_of(models.folder, models.current())
    if probation and time.time() < probation.until and not (current and current.facts.withdrawn):
        minutes = math.ceil((probation.until - time.time()) / 60)
        message = f"{models.current()} is current, on probation for {minutes} more minutes; then {release} is tried"
        return Outcome("current", release, message)
    files = repository.files_of(release)
    models.tidy(release.folder, {file.sha256 for file in files.values()})
    report(f"{release}: fetching {len(files)} files")
    fetched_bytes = fetch(models, source.repository, release, files)
    report(f"{release}: fetched {fetched_bytes / 1e6:.1f} MB; checking it on this device")
    return replace(_install(models, release, limits, steps, report), fetched_bytes=fetched_bytes)


def _install(models: Models, release: Release, limits: Limits, steps: Steps, report: Callable[[str], None]) -> Outcome:
    """Prove a release that was fetched, try it, and switch to it."""
    current = models.folder / CURRENT if models.current() else None
    try:
        cost = prove(models.versions / release.folder, release, limits, current)
        found = _try_in_shadow(models, release, limits, steps, report) if current and steps.shadow_s else ""
    except Refused as problem:
        end_trial(models.folder)
        models.refuse(release.channel, release.version, str(problem))
        models.tidy()
        return Outcome("refused", release, f"{release} is refused: {problem}")
    if found is None:
        end_trial(models.folder)
        message = (
            f"{release} waits: no edge-run watch or serve runs {models.folder / CURRENT}, in whose shadow it could be "
            "tried; start one, or pass --shadow 0"
        )
        return Outcome("waiting", release, message)
    _switch(models, release, limits, steps)
    models.tidy()
    message = f"{release} is now current; one inference takes {cost.inference_ms:.2f} ms here{found}"
    return Outcome("switched", release, message)


def _try_in_shadow(
    models: Models, release: Release, limits: Limits, steps: Steps, report: Callable[[str], None]
) -> str | None:
    """Compare the release with the current model, in the command that runs.

    Returns:
        What was found, for the last message; None if no command runs.

    Raises:
        Refused: the rules are not met.

    """
    began = time.time()
    until = began + steps.shadow_s
    trial = Trial("shadow", release.folder, release.channel, release.version, began, until, limits.max_ms, steps.share)
    write_trial(models.folder, trial)
    report(f"{release}: in the shadow of the current model for {steps.shadow_s:.0f} s")
    found = None
    while time.time() < until:
        time.sleep(min(POLL_S, steps.shadow_s))
        found = read_report(models.folder)
        if found and found.folder != release.folder:  # of an update that was interrupted
            found = None
        if found and found.problem:
            break
        if time.time() - (found.at if found else began) > SILENCE_S:
            return None
    if found is None:
        return None
    if reason := judge(found, steps.rules, limits.max_ms):
        raise Refused(reason)
    return f"; shadow: agreement {found.agreement:.1%} on {found.comparable} live frames"


def _switch(models: Models, release: Release, limits: Limits, steps: Steps) -> None:
    """Make the release the current one, on probation if there is another one to go back to."""
    end_trial(models.folder)
    if models.current() and steps.probation_s:
        now = time.time()
        until = now + steps.probation_s
        # Written before the switch: until then it names no current model, and has no effect.
        trial = Trial("probation", release.folder, release.channel, release.version, now, until, limits.max_ms)
        write_trial(models.folder, trial)
    models.switch(release.folder)


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
