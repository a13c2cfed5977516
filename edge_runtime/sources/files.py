"""Image files named by a path, a folder or a pattern."""

from __future__ import annotations

import glob
import os
from typing import TYPE_CHECKING

from edge_runtime.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

# What a folder or a pattern picks out; a file named outright is read whatever it is called.
IMAGE_EXTENSIONS = frozenset({".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".mpo", ".png", ".webp"})


def image_files(given: str) -> Iterator[str]:
    """Find the image files that one argument names, lazily: a walk holds one folder's names at a time.

    Args:
        given: a file, taken as it is even if it does not exist; a folder, searched through and sorted, hidden
            entries and links to folders left out; or a glob pattern, in which `**` spans folders.

    Yields:
        Paths that begin as `given` does.

    Raises:
        SourceError: nothing was found, or, once the rest has been yielded, a folder inside could not be read.

    """
    if os.path.isdir(given):
        found, nothing = _in_folder(given), "no image in this folder"
    elif glob.has_magic(given) and not os.path.lexists(given):
        found, nothing = _matching(given), "no image matches this pattern"
    elif os.path.exists(given) and not os.path.isfile(given):
        raise SourceError(f"{given}: no regular file")  # opening a pipe would wait for ever
    else:
        yield given
        return
    path = None
    for path in found:
        yield path
    if path is None:
        raise SourceError(f"{given}: {nothing}; images end in {' '.join(sorted(IMAGE_EXTENSIONS))}")


def _in_folder(top: str) -> Iterator[str]:
    unread: list[OSError] = []
    for folder, subfolders, names in os.walk(top, onerror=unread.append):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        names.sort()
        yield from (path for name in names if _is_image(path := os.path.join(folder, name)))
    if unread:
        raise SourceError(f"{unread[0].filename}: folder cannot be read: {unread[0].strerror}")


def _matching(pattern: str) -> Iterator[str]:
    yield from (path for path in sorted(glob.iglob(pattern, recursive=True)) if _is_image(path))


def _is_image(path: str) -> bool:
    """Tell an image file by its name; a dangling link is one, so that it is reported and not passed over."""
    name = os.path.basename(path)
    if name.startswith(".") or os.path.splitext(name)[1].lower() not in IMAGE_EXTENSIONS:
        return False
    return os.path.isfile(path) or not os.path.exists(path)
