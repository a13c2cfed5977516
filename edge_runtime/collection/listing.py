"""The labelled pictures of a folder, for a program that downloads them: pages of names and digests, and one archive."""

from __future__ import annotations

import io
import os
import threading
import time
import zipfile
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from edge_runtime.collection.names import is_label, is_picture_name
from edge_runtime.collection.store import label_folders, picture_names, sidecar_of
from edge_runtime.storage.digest import sha256_of_descriptor
from edge_runtime.storage.regular_files import opened_inside, read_descriptor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE = 500
MOST_BYTES = 100_000_000  # of one picture
FIRST_YEAR = 1980  # the first one that a ZIP archive can contain


class Listed(NamedTuple):
    """A labelled picture: its label, name, size in bytes and SHA-256."""

    label: str
    name: str
    size: int
    sha256: str


class Listing:
    """The labelled pictures of a folder that has one folder for each class.

    Attributes:
        folder: the folder; it need not exist.

    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._digests: dict[tuple[str, int, int], str] = {}
        self._lock = threading.Lock()

    def page(self, after: str = "", *, limit: int = PAGE) -> tuple[list[Listed], str | None]:
        """Return some pictures in the order of their labels and names, and the cursor of the next page.

        Args:
            after: a cursor; empty for the first page.
            limit: maximum number of pictures.

        """
        label, _, name = after.rpartition("/")
        later = [key for key in self._keys() if key > (label, name)]
        found = []
        for key in later[:limit]:
            with suppress(OSError):  # it was moved meanwhile
                found.append(self._listed(*key))
        return found, "/".join(later[limit - 1]) if len(later) > limit else None

    def read(self, label: str, name: str) -> bytes | None:
        """Return the content of a picture; None if there is none of this label and name."""
        if not is_label(label) or not is_picture_name(name):
            return None
        return self._read(label, name)

    def archive(self) -> Iterator[bytes]:
        """Yield a ZIP archive of all pictures and their sidecars, in pieces; only one picture is in memory."""
        buffer = _Pieces()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
            for label, name in self._keys():
                for part in (name, sidecar_of(name)):
                    content = self._read(label, part)
                    if content is not None:
                        archive.writestr(zipfile.ZipInfo(f"{label}/{part}", _moment()), content)
                        yield buffer.take()
        yield buffer.take()

    def _keys(self) -> list[tuple[str, str]]:
        """Return label and name of every picture, sorted."""
        return [
            (label, name) for label in label_folders(self.folder) for name in sorted(picture_names(self.folder / label))
        ]

    def _read(self, label: str, name: str) -> bytes | None:
        with suppress(OSError), opened_inside(self.folder, f"{label}/{name}") as descriptor:
            return read_descriptor(descriptor, MOST_BYTES)
        return None

    def _listed(self, label: str, name: str) -> Listed:
        with opened_inside(self.folder, f"{label}/{name}") as descriptor:
            status = os.fstat(descriptor)
            key = (name, status.st_size, status.st_mtime_ns)
            with self._lock:
                digest = self._digests.get(key)
            if digest is None:
                digest = sha256_of_descriptor(descriptor)
                with self._lock:
                    self._digests[key] = digest
        return Listed(label, name, status.st_size, digest)


class _Pieces(io.BytesIO):
    """A file without positions, so that what was written can be taken piece by piece."""

    def tell(self) -> int:
        """Raise OSError, which `zipfile` understands."""
        raise io.UnsupportedOperation

    def take(self) -> bytes:
        """Return what was written since the last call."""
        taken = self.getvalue()
        self.seek(0)
        self.truncate(0)
        return taken


def _moment() -> tuple[int, int, int, int, int, int]:
    now = time.localtime()[:6]
    return now if now[0] >= FIRST_YEAR else (FIRST_YEAR, 1, 1, 0, 0, 0)
