"""Read the releases of a repository through The Update Framework: signatures, expiry, versions, lengths, digests.

What TUF's specification demands of a client is python-tuf's work (https://theupdateframework.github.io/specification).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from edge_runtime.errors import BackendUnavailable
from edge_runtime.update.release import MAX_LISTING, TARGET, Facts, Release, UpdateError, parse_listing

try:
    from tuf.api import exceptions
    from tuf.ngclient import Updater, UpdaterConfig
except ModuleNotFoundError:
    raise BackendUnavailable("updates need another library; install it with: pip install 'edgewise[update]'") from None

from edge_runtime.update import transport

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from edge_runtime.model.manifest import BundleFile

# No metadata of a repository is older than this package: an earlier clock is wrong.
EARLIEST = datetime(2026, 1, 1, tzinfo=timezone.utc)
LIMITS = UpdaterConfig(root_max_length=1 << 17, timestamp_max_length=1 << 14, snapshot_max_length=1 << 17)
# The first that applies. Every message of python-tuf names the metadata file.
REASONS: tuple[tuple[type[Exception], str], ...] = (
    (
        exceptions.ExpiredMetadataError,
        (
            "its metadata has expired, so it may be an old copy; check the clock of this device, "
            "or renew it with: edge-export release --renew"
        ),
    ),
    (
        exceptions.EqualVersionNumberError,
        "its metadata is of the version that is known, but has another content; do not trust it",
    ),
    (
        exceptions.BadVersionNumberError,
        (
            "its metadata is older than what this device has seen, or does not fit together: "
            "an old copy, or someone replays an old state"
        ),
    ),
    (
        exceptions.UnsignedMetadataError,
        "its metadata is not signed by enough of the keys that this device trusts",
    ),
    (exceptions.LengthOrHashMismatchError, "its metadata does not fit together: another length or digest"),
    (exceptions.DownloadLengthMismatchError, "it sends more bytes than allowed"),
)


@dataclass(frozen=True)
class Repository:
    """A repository whose metadata has just been checked.

    Attributes:
        location: a URL or a folder.
        releases: by channel and version.

    """

    location: str
    releases: tuple[Release, ...]
    _updater: Updater
    _listings: Path

    def files_of(self, release: Release) -> Mapping[str, BundleFile]:
        """Return the files of a release, by path in the bundle. Raise UpdateError."""
        where = f"{self.location}: {release}"
        try:
            target = self._updater.get_targetinfo(release.target)
            if target is None or target.length > MAX_LISTING:
                raise UpdateError(f"{where}: its list of files is missing or too large; release it again")
            path = self._listings / f"{release.folder}.json"
            self._updater.download_target(target, str(path))
            content = path.read_bytes()
            path.unlink()
        except (exceptions.RepositoryError, exceptions.DownloadError) as problem:
            raise UpdateError(_explain(problem, self.location)) from None
        return parse_listing(content, where)


def open_repository(location: str, trust: Path, root: Path | None) -> Repository:
    """Fetch and check the metadata of a repository.

    Args:
        location: a URL, or a folder.
        trust: the folder in which this device keeps the metadata that it has accepted.
        root: the repository's first root metadata; needed until `trust` has one.

    Raises:
        UpdateError: the repository cannot be read, or its metadata is not to be trusted; the message says why.

    """
    if datetime.now(timezone.utc) < EARLIEST:
        raise UpdateError(
            "the clock of this device is wrong, so whether a release is current cannot be known; set it, "
            "for example with: timedatectl set-ntp true"
        )
    base = location.rstrip("/")
    try:
        updater = Updater(
            metadata_dir=str(trust),
            metadata_base_url=f"{base}/metadata",
            target_dir=str(trust),
            target_base_url=f"{base}/targets",
            fetcher=transport.fetcher_for(location),
            config=LIMITS,
            bootstrap=_bootstrap(trust, root),
        )
        updater.refresh()
    except (exceptions.RepositoryError, exceptions.DownloadError) as problem:
        raise UpdateError(_explain(problem, location)) from None
    except OSError as problem:
        raise UpdateError(f"{trust}: cannot be read or written: {problem.strerror or problem}") from None
    # refresh() has loaded the targets; python-tuf has no public list of them.
    targets = updater._trusted_set.targets.targets  # noqa: SLF001
    releases = []
    for path, target in targets.items():
        found = TARGET.fullmatch(path)
        if not found:
            raise UpdateError(f"{location}: unknown kind of target {path!r}; update edgewise on this device")
        where = f"{location}: {found['channel']} {found['version']}"
        custom = target.unrecognized_fields.get("custom")
        releases.append(Release(found["channel"], int(found["version"]), Facts.from_json(custom, where)))
    return Repository(location, tuple(releases), updater, trust)


def _bootstrap(trust: Path, root: Path | None) -> bytes | None:
    """Return the first root metadata, or None where this device has accepted one before."""
    if (trust / "root.json").exists():
        return None
    if root is None:
        raise UpdateError(
            "this device trusts no repository yet; copy root.json of the repository's publisher to it "
            "and pass --root root.json once"
        )
    try:
        content = root.read_bytes()
    except OSError as problem:
        raise UpdateError(f"{root}: cannot be read: {problem.strerror}") from None
    return content


def _explain(problem: Exception, location: str) -> str:
    detail = " ".join(str(problem).split())
    for kind, reason in REASONS:
        if isinstance(problem, kind):
            return f"{location}: {reason} ({detail})" if detail else f"{location}: {reason}"
    if isinstance(problem, exceptions.DownloadError):
        return transport.explain(problem, location)
    return f"{location}: its metadata cannot be trusted: {detail or type(problem).__name__}"
