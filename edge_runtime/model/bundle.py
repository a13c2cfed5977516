"""A bundle: the folder that an export publishes and a device runs, and the content of its files."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from edge_runtime.errors import BundleError
from edge_runtime.model.manifest import MANIFEST_NAME, MAX_FILE, parse_manifest
from edge_runtime.storage.digest import sha256_of_bytes, sha256_of_descriptor
from edge_runtime.storage.regular_files import NotRegularError, opened_inside, read_at_most, read_descriptor

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from edge_runtime.model.manifest import Artifact, BundleFile
    from edge_runtime.model.spec import ModelSpec

UNLISTED = (MANIFEST_NAME, "report.json", "report.html")  # the files that the manifest does not list
MAX_MANIFEST = 1 << 24  # bytes


class ModelFile(NamedTuple):
    """The content of a model file; a backend runs these bytes and does not read the file again.

    Attributes:
        where: the file's path, for messages.
        format: "tflite" or "onnx".
        content: its bytes.

    """

    where: str
    format: str
    content: bytes

    @classmethod
    def read(cls, path: Path) -> ModelFile:
        """Read a model file that no manifest describes. Raise BundleError."""
        try:
            return cls(str(path), path.suffix.removeprefix("."), read_at_most(path, MAX_FILE))
        except OSError as problem:
            raise BundleError(f"{path}: cannot be read: {problem.strerror or problem}") from None


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
        sha256: the digest of the manifest, which identifies the bundle.

    """

    folder: Path
    spec: ModelSpec
    default: str
    artifacts: Mapping[str, Artifact]
    files: Mapping[str, BundleFile]
    versions: Mapping[str, str]
    sha256: str

    @classmethod
    def open(cls, folder: str | Path) -> Bundle:
        """Read and check a bundle's manifest. Raise BundleError or SpecError."""
        folder = Path(folder)
        if not folder.is_dir():
            raise BundleError(f"{folder}: no such bundle folder; edge-export writes one")
        path = folder / MANIFEST_NAME
        try:
            with opened_inside(folder, MANIFEST_NAME) as descriptor:
                content = read_descriptor(descriptor, MAX_MANIFEST + 1)
        except FileNotFoundError:
            raise BundleError(
                f"{folder}: contains no {MANIFEST_NAME}, so it is not a bundle; edge-export writes one"
            ) from None
        except OSError as problem:
            raise BundleError(f"{path}: {problem.strerror or problem}; copy the bundle again") from None
        if len(content) > MAX_MANIFEST:
            raise BundleError(f"{path}: more than {MAX_MANIFEST} bytes, so it is not a manifest")
        return cls(folder, *parse_manifest(content, str(path)), sha256=sha256_of_bytes(content))

    def artifact(self, name: str | None = None) -> Artifact:
        """Return an artifact by name, or the default one. Raise BundleError, which lists the names."""
        if (name or self.default) not in self.artifacts:
            raise BundleError(f"{self.folder}: no artifact {name!r}; it contains {', '.join(self.artifacts)}")
        return self.artifacts[name or self.default]

    def read_file(self, file: BundleFile) -> bytes:
        """Return the content of a file after checking its size and digest. Raise BundleError.

        What is returned is what was checked: the file is opened once, and a later change of it has no effect.
        """
        path = self.folder / file.path
        with self._opened(file) as descriptor:
            content = read_descriptor(descriptor, file.size_bytes + 1)
        if len(content) != file.size_bytes or sha256_of_bytes(content) != file.sha256:
            raise _damaged(path)
        return content

    def read_model(self, artifact: Artifact) -> ModelFile:
        """Return an artifact's model file after checking its size and digest. Raise BundleError."""
        return ModelFile(str(self.folder / artifact.file.path), artifact.format, self.read_file(artifact.file))

    def check_file(self, file: BundleFile) -> None:
        """Check size and digest of a file, block by block. Raise BundleError."""
        with self._opened(file) as descriptor:
            if sha256_of_descriptor(descriptor) != file.sha256:
                raise _damaged(self.folder / file.path)

    def check_files(self) -> None:
        """Check every file of the manifest, and that there are no others. Raise BundleError at the first problem."""
        for file in (*(artifact.file for artifact in self.artifacts.values()), *self.files.values()):
            self.check_file(file)
        if others := self.unlisted_files():
            raise BundleError(
                f"{self.folder / others[0]}: not in the manifest; remove the file, or copy the bundle again"
            )

    def unlisted_files(self) -> list[str]:
        """Return the paths, relative to the bundle, of everything that is neither in the manifest nor a report."""
        listed = {artifact.file.path for artifact in self.artifacts.values()}.union(self.files, UNLISTED)
        folders = {path[:end] for path in listed for end in range(len(path)) if path[end] == "/"}
        found = []
        for parent, names, files in os.walk(self.folder):
            inside = Path(parent).relative_to(self.folder)
            unknown = [name for name in names if (inside / name).as_posix() not in folders]
            found += [(inside / name).as_posix() for name in (*unknown, *files)]
            names[:] = [name for name in names if name not in unknown]
        return sorted(path for path in found if path not in listed)

    @contextmanager
    def _opened(self, file: BundleFile) -> Iterator[int]:
        """Open a file of the bundle, check its size and yield its descriptor. Raise BundleError."""
        path = self.folder / file.path
        try:
            with opened_inside(self.folder, file.path) as descriptor:
                size = os.fstat(descriptor).st_size
                if size != file.size_bytes:
                    raise BundleError(
                        f"{path}: {size} bytes where the manifest says {file.size_bytes}; copy the bundle again"
                    )
                yield descriptor
        except (FileNotFoundError, NotRegularError):
            raise BundleError(f"{path}: missing or not a regular file; copy the bundle again") from None
        except OSError as problem:
            raise BundleError(f"{path}: cannot be read: {problem.strerror}") from None


def _damaged(path: Path) -> BundleError:
    return BundleError(f"{path}: damaged, its SHA-256 is not the manifest's; copy the bundle again")
