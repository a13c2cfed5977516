"""A release: one version of a bundle in one channel of a repository, as the signed metadata describes it.

The repository is a folder of static files:

    metadata/                       The Update Framework's metadata: N.root.json, N.targets.json, N.snapshot.json,
                                    timestamp.json
    targets/CHANNEL/DIGEST.N.json   the list of a release's files; the metadata signs its length and digest
    files/DIGEST                    the content of the files, named by SHA-256, so that releases share equal files
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from edge_runtime.errors import EdgeError
from edge_runtime.model.manifest import MAX_FILE, SAFE_PATH, SHA256, BundleFile
from edge_runtime.storage.json_files import expect_keys, parse_json

if TYPE_CHECKING:
    from collections.abc import Mapping

CHANNEL = re.compile(r"[a-z][a-z0-9-]{0,31}")
TARGET = re.compile(rf"(?P<channel>{CHANNEL.pattern})/(?P<version>[1-9][0-9]{{0,8}})\.json")
MAX_LISTING = 1 << 20  # bytes
MAX_FILES = 1000
TEXTS = ("bundle", "created", "notes", "artifact", "proof", "min_edgewise")  # of the facts
EVERY_DEVICE = 100  # percent


class UpdateError(EdgeError):
    """A repository, release or models folder that cannot be used; the message says why and what to do."""


@dataclass(frozen=True)
class Facts:
    """What the publisher states about a release; signed together with the digest of its file list.

    Attributes:
        bundle: SHA-256 of the bundle's manifest, 64 hexadecimal digits.
        created: when it was released, ISO 8601 in UTC.
        rollout: percentage of the devices that take it, 0 to 100.
        withdrawn: whether devices must leave it.
        notes: one line for people.
        size_bytes: total size of its files.
        labels: the classes.
        artifact: the artifact that runs by default.
        proof: what the export measured, one line for people. (Signed JSON has no fractions.)
        min_edgewise: the oldest version of this package that can run it.

    """

    bundle: str
    created: str
    rollout: int
    withdrawn: bool
    notes: str
    size_bytes: int
    labels: tuple[str, ...]
    artifact: str
    proof: str
    min_edgewise: str

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        return {**asdict(self), "labels": list(self.labels)}

    @classmethod
    def from_json(cls, data: object, where: str) -> Facts:
        """Check and return the facts of a release. Raise UpdateError, which begins with `where`."""
        if not isinstance(data, dict):
            raise UpdateError(f"{where}: its facts are missing; release it again")
        expect_keys(data, [field.name for field in fields(cls)], where, UpdateError)
        labels = data["labels"]
        if not isinstance(labels, list) or not all(_is_line(label) for label in labels):
            raise UpdateError(f"{where}: 'labels' must be a list of printable texts")
        for name in TEXTS:
            if not _is_line(data[name]):
                raise UpdateError(f"{where}: {name!r} must be a printable text, not {data[name]!r}")
        if not SHA256.fullmatch(data["bundle"]):
            raise UpdateError(f"{where}: 'bundle' must be a SHA-256, not {data['bundle']!r}")
        if not _is_whole(data["rollout"]) or data["rollout"] > EVERY_DEVICE:
            raise UpdateError(f"{where}: 'rollout' must be a percentage, not {data['rollout']!r}")
        if not _is_whole(data["size_bytes"]) or not isinstance(data["withdrawn"], bool):
            raise UpdateError(f"{where}: 'size_bytes' must be a whole number, 'withdrawn' true or false")
        return cls(**{**data, "labels": tuple(labels)})


@dataclass(frozen=True)
class Release:
    """One version of one channel.

    Attributes:
        channel: such as "stable".
        version: 1, 2, 3 …; a newer release of the channel has a larger number.
        facts: what its publisher states.

    """

    channel: str
    version: int
    facts: Facts

    @property
    def target(self) -> str:
        """Return the path of its file list among the repository's targets."""
        return f"{self.channel}/{self.version}.json"

    @property
    def folder(self) -> str:
        """Return the name of its folder on a device; it names the content too, so it is never reused."""
        return f"{self.channel}-{self.version}-{self.facts.bundle[:8]}"

    def __str__(self) -> str:
        return f"{self.channel} {self.version}"


def listing_to_json(files: Mapping[str, BundleFile]) -> dict[str, Any]:
    """Return the list of a release's files as a JSON object."""
    return {"format": 1, "files": [asdict(files[path]) for path in sorted(files)]}


def parse_listing(content: bytes, where: str) -> dict[str, BundleFile]:
    """Parse the list of a release's files; `where` names it in errors. Raise UpdateError."""
    data = parse_json(content, where, UpdateError)
    expect_keys(data, ["format", "files"], where, UpdateError)
    entries = data["files"]
    if data["format"] != 1 or not isinstance(entries, list) or not 0 < len(entries) <= MAX_FILES:
        raise UpdateError(f"{where}: not a list of 1 to {MAX_FILES} files in format 1; update edgewise on this device")
    files = {}
    for entry in entries:
        file = _file(entry, where)
        if file.path in files:
            raise UpdateError(f"{where}: contains {file.path!r} twice")
        files[file.path] = file
    return files


def _file(entry: object, where: str) -> BundleFile:
    if not isinstance(entry, dict):
        raise UpdateError(f"{where}: a file must be a JSON object")
    expect_keys(entry, ["path", "size_bytes", "sha256"], where, UpdateError)
    path, size, digest = entry["path"], entry["size_bytes"], entry["sha256"]
    if not isinstance(path, str) or not SAFE_PATH.fullmatch(path):
        raise UpdateError(f"{where}: file path {path!r} leaves the release or contains an unsafe character")
    if not _is_whole(size) or not 0 <= size <= MAX_FILE or not isinstance(digest, str) or not SHA256.fullmatch(digest):
        raise UpdateError(f"{where}: file {path}: size_bytes or sha256 is not valid")
    return BundleFile(path, size, digest)


def _is_line(value: object) -> bool:
    return isinstance(value, str) and len(value) <= 1000 and value.isprintable()


def _is_whole(value: object) -> bool:
    return type(value) is int and value >= 0
