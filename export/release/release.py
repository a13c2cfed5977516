"""Add a bundle to a repository as a release, and change what is said of a release."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from datetime import datetime, timezone
from importlib.metadata import version
from typing import TYPE_CHECKING

from tuf.api.metadata import TargetFile

from edge_runtime.model.bundle import Bundle
from edge_runtime.model.manifest import MANIFEST_NAME, BundleFile
from edge_runtime.selftest.isolated import selftest_in_child
from edge_runtime.storage.digest import sha256_of
from edge_runtime.storage.json_files import write_bytes
from edge_runtime.update.release import CHANNEL, TARGET, Facts, Release, listing_to_json
from export.errors import ExportError

if TYPE_CHECKING:
    from pathlib import Path

    from export.release.metadata import SignedMetadata


def add_release(repository: SignedMetadata, bundle: Path, channel: str, rollout: int, notes: str) -> Release:
    """Add a bundle as the next version of a channel and sign it.

    Args:
        repository: the repository and its keys.
        bundle: a bundle that passes its self-test on this machine.
        channel: such as "stable"; a new one is created.
        rollout: percentage of the devices that take it.
        notes: one line for people.

    Raises:
        ExportError: the bundle or the repository is not usable.
        BundleError, SpecError: the bundle is damaged.

    """
    if not CHANNEL.fullmatch(channel):
        raise ExportError(f"--channel {channel}: use lower-case letters, digits and hyphens, at most 32")
    opened = Bundle.open(bundle)
    result = selftest_in_child(bundle)
    if result.difference:
        raise ExportError(f"{bundle}: not released, because its self-test fails: {result.difference.message}")
    known = releases_of(repository)
    number = 1 + max((release.version for release in known if release.channel == channel), default=0)
    files = _files_of(opened)
    release = Release(channel, number, _facts(opened, files, rollout, notes))
    _publish_files(repository.folder, bundle, files)
    content = (json.dumps(listing_to_json(files), indent=1) + "\n").encode()
    target = TargetFile.from_data(release.target, content, ["sha256"])
    target.unrecognized_fields["custom"] = release.facts.to_json()
    folder = repository.folder / "targets" / channel
    folder.mkdir(parents=True, exist_ok=True)
    write_bytes(folder / f"{target.hashes['sha256']}.{number}.json", content)
    with repository.edit_targets() as targets:
        targets.targets[release.target] = target
    repository.publish()
    return release


def change_release(
    repository: SignedMetadata, channel: str, number: int | None, *, rollout: int | None = None, withdrawn: bool = False
) -> Release:
    """Change the rollout of a release, or withdraw it. `number` None takes the newest one. Raise ExportError."""
    of_channel = [release for release in releases_of(repository) if release.channel == channel]
    found = [release for release in of_channel if number in {None, release.version}]
    if not found:
        has = ", ".join(str(release.version) for release in of_channel) or "no release"
        raise ExportError(f"{repository.folder}: no release {number or ''} in the channel {channel}; it has {has}")
    release = max(found, key=lambda one: one.version)
    facts = release.facts
    facts = replace(facts, rollout=facts.rollout if rollout is None else rollout, withdrawn=withdrawn)
    with repository.edit_targets() as targets:
        targets.targets[release.target].unrecognized_fields["custom"] = facts.to_json()
    repository.publish()
    return replace(release, facts=facts)


def releases_of(repository: SignedMetadata) -> list[Release]:
    """Return all releases of a repository, by channel and version. Raise ExportError if it cannot be read."""
    releases = []
    for path, target in repository.targets().targets.items():
        found = TARGET.fullmatch(path)
        if found is None:
            raise ExportError(
                f"{repository.folder}: unknown kind of target {path!r}; a newer version of edgewise made it"
            )
        where = f"{repository.folder}: {path}"
        facts = Facts.from_json(target.unrecognized_fields.get("custom"), where)
        releases.append(Release(found["channel"], int(found["version"]), facts))
    return sorted(releases, key=lambda release: (release.channel, release.version))


def _files_of(bundle: Bundle) -> dict[str, BundleFile]:
    """Return what a device needs of a bundle: the manifest and every file that it lists, without the report."""
    path = bundle.folder / MANIFEST_NAME
    manifest = BundleFile(MANIFEST_NAME, path.stat().st_size, bundle.sha256)
    listed = (*(artifact.file for artifact in bundle.artifacts.values()), *bundle.files.values())
    return {file.path: file for file in (manifest, *listed)}


def _facts(bundle: Bundle, files: dict[str, BundleFile], rollout: int, notes: str) -> Facts:
    return Facts(
        bundle=bundle.sha256,
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        rollout=rollout,
        withdrawn=False,
        notes=notes,
        size_bytes=sum(file.size_bytes for file in files.values()),
        labels=bundle.spec.labels,
        artifact=bundle.default,
        proof=_proof(bundle),
        min_edgewise=version("edgewise"),
    )


def _proof(bundle: Bundle) -> str:
    """Return what the export measured of the artifact that runs by default."""
    parity = bundle.artifact().parity
    accuracy, agreement, images = (parity.get(key) for key in ("accuracy", "top1_agreement", "images"))
    parts = [f"accuracy {accuracy:.1%}"] if accuracy is not None else []
    parts += [f"agreement with the trained model {agreement:.1%}"] if agreement is not None else []
    return f"{', '.join(parts)} on {images:.0f} photographs" if parts and images else "not measured"


def _publish_files(repository: Path, bundle: Path, files: dict[str, BundleFile]) -> None:
    """Copy the files that the repository does not have yet. Raise ExportError if one changes meanwhile."""
    folder = repository / "files"
    folder.mkdir(parents=True, exist_ok=True)
    for file in files.values():
        path = folder / file.sha256
        if path.exists() and sha256_of(path) == file.sha256:
            continue
        partial = path.with_name(f".{path.name}.partial")
        with (bundle / file.path).open("rb") as source, partial.open("wb") as copy:
            shutil.copyfileobj(source, copy)
            copy.flush()
            os.fsync(copy.fileno())
        if sha256_of(partial) != file.sha256:
            partial.unlink()
            raise ExportError(f"{bundle / file.path}: changed while it was copied, or damaged; export the bundle again")
        partial.replace(path)
