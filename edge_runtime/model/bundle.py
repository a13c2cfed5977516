"""A bundle: the folder that an export publishes and a device runs, with its manifest.json."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_runtime.errors import BundleError
from edge_runtime.model.spec import ModelSpec
from edge_runtime.storage.digest import sha256_of
from edge_runtime.storage.json_files import expect_keys, read_json

if TYPE_CHECKING:
    from collections.abc import Mapping

MANIFEST_NAME = "manifest.json"
MANIFEST_VERSION = 1
# A file's path inside the bundle: no absolute path, no "..", no hidden file.
SAFE_PATH = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
FORMATS = ("tflite", "onnx")


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
        precision: "float32", "float16", "dynamic" or "int8".
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


@dataclass(frozen=True)
class Bundle:
    """A bundle whose manifest has been checked; the files are checked when they are used.

    Attributes:
        folder: the bundle's folder.
        spec: the model's spec.
        default: name of the artifact to run by default.
        artifacts: by name, in the manifest's order.
        files: every other file of the manifest (labels, golden images), by path.
        versions: the tools that made it, by distribution name.

    """

    folder: Path
    spec: ModelSpec
    default: str
    artifacts: Mapping[str, Artifact]
    files: Mapping[str, BundleFile]
    versions: Mapping[str, str]

    @classmethod
    def open(cls, folder: str | Path) -> Bundle:
        """Read and check a bundle's manifest. Raise BundleError or SpecError."""
        folder = Path(folder)
        if not folder.is_dir():
            raise BundleError(f"{folder}: no such bundle folder; edge-export writes one")
        path = folder / MANIFEST_NAME
        if not path.exists():
            raise BundleError(f"{folder}: contains no {MANIFEST_NAME}, so it is not a bundle; edge-export writes one")
        return _parse(folder, read_json(path, BundleError), str(path))

    def artifact(self, name: str | None = None) -> Artifact:
        """Return an artifact by name, or the default one. Raise BundleError, which lists the names."""
        if (name or self.default) not in self.artifacts:
            raise BundleError(f"{self.folder}: no artifact {name!r}; it contains {', '.join(self.artifacts)}")
        return self.artifacts[name or self.default]

    def checked_path(self, file: BundleFile) -> Path:
        """Return the path of a file after checking its size and digest. Raise BundleError."""
        path = self.folder / file.path
        if path.is_symlink() or not path.is_file():
            raise BundleError(f"{path}: missing or not a regular file; copy the bundle again")
        size = path.stat().st_size
        if size != file.size_bytes:
            raise BundleError(f"{path}: {size} bytes where the manifest says {file.size_bytes}; copy the bundle again")
        if sha256_of(path) != file.sha256:
            raise BundleError(f"{path}: damaged, its SHA-256 is not the manifest's; copy the bundle again")
        return path

    def check_files(self) -> None:
        """Check size and digest of every file. Raise BundleError at the first that differs."""
        for file in (*(artifact.file for artifact in self.artifacts.values()), *self.files.values()):
            self.checked_path(file)


def _parse(folder: Path, data: dict[str, Any], where: str) -> Bundle:
    expect_keys(data, ["version", "spec", "default", "artifacts", "files", "versions"], where, BundleError)
    if data["version"] != MANIFEST_VERSION:
        raise BundleError(
            f"{where}: version {data['version']!r} is not {MANIFEST_VERSION}, which this version of edgewise reads"
        )
    for key, kind in (("spec", dict), ("default", str), ("artifacts", list), ("files", list), ("versions", dict)):
        if not isinstance(data[key], kind):
            raise BundleError(f"{where}: {key!r} must be a JSON {kind.__name__}")
    artifacts = [_artifact(item, where) for item in data["artifacts"]]
    if len({artifact.name for artifact in artifacts}) != len(artifacts):
        raise BundleError(f"{where}: names an artifact twice")
    files = [_file(item, where) for item in data["files"]]
    bundle = Bundle(
        folder=folder,
        spec=ModelSpec.from_json(data["spec"], f"{where}: spec"),
        default=data["default"],
        artifacts={artifact.name: artifact for artifact in artifacts},
        files={file.path: file for file in files},
        versions=data["versions"],
    )
    if bundle.default not in bundle.artifacts:
        raise BundleError(f"{where}: 'default' is {bundle.default!r}, which is not one of its artifacts")
    return bundle


def _artifact(data: object, where: str) -> Artifact:
    if not isinstance(data, dict):
        raise BundleError(f"{where}: an artifact must be a JSON object, not {data!r}")
    expect_keys(data, ["name", "precision", "format", "file", "parity"], f"{where}: artifact", BundleError)
    if data["format"] not in FORMATS or data["name"] != f"{data['precision']}.{data['format']}":
        raise BundleError(f"{where}: artifact {data['name']!r} is not its precision and one of {', '.join(FORMATS)}")
    if not isinstance(data["parity"], dict) or not all(
        value is None or type(value) in {int, float} for value in data["parity"].values()
    ):
        raise BundleError(f"{where}: artifact {data['name']!r}: 'parity' must be a JSON object of numbers")
    return Artifact(data["name"], data["precision"], data["format"], _file(data["file"], where), data["parity"])


def _file(data: object, where: str) -> BundleFile:
    if not isinstance(data, dict):
        raise BundleError(f"{where}: a file must be a JSON object, not {data!r}")
    expect_keys(data, ["path", "size_bytes", "sha256"], f"{where}: file", BundleError)
    if not isinstance(data["path"], str) or not SAFE_PATH.fullmatch(data["path"]):
        raise BundleError(f"{where}: file path {data['path']!r} leaves the bundle or contains an unsafe character")
    if type(data["size_bytes"]) is not int or not isinstance(data["sha256"], str):
        raise BundleError(f"{where}: file {data['path']}: size_bytes must be a number and sha256 a text")
    return BundleFile(data["path"], data["size_bytes"], data["sha256"])
