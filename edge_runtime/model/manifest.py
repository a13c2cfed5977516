"""The manifest of a bundle: what manifest.json states, parsed as strictly as docs/bundle-format.md specifies it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from edge_runtime.errors import BundleError
from edge_runtime.model.spec import ModelSpec
from edge_runtime.storage.json_files import expect_keys, parse_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MANIFEST_NAME = "manifest.json"
MANIFEST_VERSION = 1
FORMATS = ("tflite", "onnx")
PRECISIONS = ("float32", "float16", "dynamic", "int8", "int16x8")
MAX_FILE = 1 << 31  # bytes
SHA256 = re.compile(r"[0-9a-f]{64}")
# A file's path inside the bundle: no absolute path, no "..", no hidden file.
SAFE_PATH = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")


@dataclass(frozen=True)
class BundleFile:
    """A file with the size and digest that the manifest states.

    Attributes:
        path: relative to the bundle, with forward slashes.
        size_bytes: its exact size.
        sha256: its digest, lower-case hexadecimal.

    """

    path: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class Artifact:
    """One exported form of the model.

    Attributes:
        name: precision and format, such as "int8.tflite".
        precision: one of PRECISIONS.
        format: "tflite" or "onnx".
        file: the model file.
        parity: the export's measurements on held-out images: `images`, `max_abs_diff`, `mean_abs_diff`, `snr_db` (None
            if the outputs were equal), `top1_agreement`, `accuracy`, `reference_accuracy`.

    """

    name: str
    precision: str
    format: str
    file: BundleFile
    parity: Mapping[str, float | None]


class Manifest(NamedTuple):
    """The content of manifest.json, in the order and with the meaning of the attributes of `Bundle`."""

    spec: ModelSpec
    default: str
    artifacts: Mapping[str, Artifact]
    files: Mapping[str, BundleFile]
    versions: Mapping[str, str]


def parse_manifest(content: bytes, where: str) -> Manifest:
    """Parse manifest.json; `where` names it in errors. Raise BundleError or SpecError."""
    data = parse_json(content, where, BundleError)
    expect_keys(data, ["version", "spec", "default", "artifacts", "files", "versions"], where, BundleError)
    if type(data["version"]) is not int or data["version"] != MANIFEST_VERSION:
        raise BundleError(
            f"{where}: version {data['version']!r} is not {MANIFEST_VERSION}, which this version of edgewise reads"
        )
    for key, kind in (("spec", dict), ("default", str), ("artifacts", list), ("files", list), ("versions", dict)):
        if not isinstance(data[key], kind):
            raise BundleError(f"{where}: {key!r} must be a JSON {kind.__name__}")
    if not all(_is_printable(text) for pair in data["versions"].items() for text in pair):
        raise BundleError(f"{where}: 'versions' must be a JSON object of printable texts")
    artifacts = [_artifact(item, where) for item in data["artifacts"]]
    files = [_file(item, where) for item in data["files"]]
    _require_distinct([artifact.name for artifact in artifacts], where)
    _require_distinct([MANIFEST_NAME, *(item.path for item in (*files, *(one.file for one in artifacts)))], where)
    manifest = Manifest(
        spec=ModelSpec.from_json(data["spec"], f"{where}: spec"),
        default=data["default"],
        artifacts={artifact.name: artifact for artifact in artifacts},
        files={file.path: file for file in files},
        versions=data["versions"],
    )
    if manifest.default not in manifest.artifacts:
        raise BundleError(f"{where}: 'default' is {manifest.default!r}, which is not one of its artifacts")
    return manifest


def _require_distinct(names: Sequence[str], where: str) -> None:
    for index, name in enumerate(names):
        if name in names[:index]:
            raise BundleError(f"{where}: contains {name!r} twice")


def _is_printable(value: object) -> bool:
    return isinstance(value, str) and value.isprintable()


def _artifact(data: object, where: str) -> Artifact:
    if not isinstance(data, dict):
        raise BundleError(f"{where}: an artifact must be a JSON object, not {data!r}")
    expect_keys(data, ["name", "precision", "format", "file", "parity"], f"{where}: artifact", BundleError)
    name = data["name"]
    if data["precision"] not in PRECISIONS or data["format"] not in FORMATS:
        raise BundleError(
            f"{where}: artifact {name!r}: precision must be one of {', '.join(PRECISIONS)},"
            f" and format one of {', '.join(FORMATS)}"
        )
    if name != f"{data['precision']}.{data['format']}":
        raise BundleError(f"{where}: artifact {name!r} is not named after its precision and format")
    file = _file(data["file"], where)
    if not file.path.endswith(f".{data['format']}"):
        raise BundleError(f"{where}: artifact {name}: its file {file.path} does not end in .{data['format']}")
    parity = data["parity"]
    if not isinstance(parity, dict) or not all(_is_printable(key) for key in parity):
        raise BundleError(f"{where}: artifact {name}: 'parity' must be a JSON object of numbers")
    if not all(value is None or type(value) in {int, float} for value in parity.values()):
        raise BundleError(f"{where}: artifact {name}: 'parity' must be a JSON object of numbers")
    return Artifact(name, data["precision"], data["format"], file, parity)


def _file(data: object, where: str) -> BundleFile:
    if not isinstance(data, dict):
        raise BundleError(f"{where}: a file must be a JSON object, not {data!r}")
    expect_keys(data, ["path", "size_bytes", "sha256"], f"{where}: file", BundleError)
    path, size, digest = data["path"], data["size_bytes"], data["sha256"]
    if not isinstance(path, str) or not SAFE_PATH.fullmatch(path):
        raise BundleError(f"{where}: file path {path!r} leaves the bundle or contains an unsafe character")
    if type(size) is not int or not 0 <= size <= MAX_FILE:
        raise BundleError(f"{where}: file {path}: size_bytes must be a whole number from 0 to {MAX_FILE}, not {size!r}")
    if not isinstance(digest, str) or not SHA256.fullmatch(digest):
        raise BundleError(f"{where}: file {path}: sha256 must be 64 lower-case hexadecimal digits")
    return BundleFile(path, size, digest)
