"""Find image files: a path, a folder, a pattern or a list on standard input."""

from __future__ import annotations

import glob
import heapq
import io
import os
import sys
from typing import TYPE_CHECKING

from edge_runtime.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

# Selected in a folder or by a pattern; a file that is named explicitly is read whatever its extension.
IMAGE_EXTENSIONS = frozenset(
    {".avif", ".bmp", ".gif", ".heic", ".heif", ".hif", ".jfif", ".jpe", ".jpeg", ".jpg", ".mpo", ".png", ".webp"}
)
STDIN = "-"
MOST_NAMES = 20_000  # of one folder, in memory at the same time


def image_files(given: str) -> Iterator[str]:
    """Find the image files that one argument names, lazily, with at most some thousand names in memory.

    Args:
        given: a file, which need not exist; a folder, searched with its subfolders in sorted order, without hidden
            entries and links to folders; or a glob pattern, in which `**` matches any number of folders.

    Yields:
        Paths that begin like `given`.

    Raises:
        SourceError: nothing was found, or, after everything else was yielded, a subfolder could not be read.

    """
    if os.path.isdir(given):
        found, nothing = _in_folder(given), "no image in this folder"
    elif glob.has_magic(given) and not os.path.lexists(given):
        found, nothing = _matching(given), "no image matches this pattern"
    elif os.path.exists(given) and not os.path.isfile(given):
        raise SourceError(f"{given}: not a regular file")  # opening a pipe would block for ever
    else:
        yield given
        return
    path = None
    for path in found:
        yield path
    if path is None:
        raise SourceError(f"{given}: {nothing}; image files end in {' '.join(sorted(IMAGE_EXTENSIONS))}")


def paths(given: str) -> Iterator[str]:
    """Yield the image files that one argument names.

    As `image_files`, or for `-`, one path per line of standard input. Raise SourceError if that is binary data.
    """
    if given != STDIN:
        yield from image_files(given)
        return
    if isinstance(sys.stdin, io.TextIOWrapper):  # a name need not be UTF-8
        sys.stdin.reconfigure(errors="surrogateescape")
    for line in sys.stdin:
        if "\0" in line:
            raise SourceError("standard input: binary data, where one path per line is needed")
        if path := line.rstrip("\r\n"):
            yield path


def _in_folder(top: str) -> Iterator[str]:
    unread: list[OSError] = []
    folders = [top]
    while folders:
        folder = folders.pop()
        try:
            yield from (path for name in _names(folder) if _is_image(path := os.path.join(folder, name)))
            folders += [os.path.join(folder, name) for name in reversed(list(_names(folder, folders=True)))]
        except OSError as problem:
            unread.append(problem)
    if unread:
        raise SourceError(f"{unread[0].filename}: folder cannot be read: {unread[0].strerror}")


def _names(folder: str, *, folders: bool = False) -> Iterator[str]:
    """Yield the names of all entries except folders, or of the folders except links and hidden ones, sorted.

    A folder with more than MOST_NAMES entries is read several times, so that memory does not grow with its size.
    """
    wanted = _is_searched if folders else _is_no_folder
    last = ""
    while True:
        with os.scandir(folder) as entries:
            later = (entry.name for entry in entries if entry.name > last and wanted(entry))
            names = heapq.nsmallest(MOST_NAMES, later)
        yield from names
        if len(names) < MOST_NAMES:
            return
        last = names[-1]


def _is_searched(entry: os.DirEntry[str]) -> bool:
    return entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".")


def _is_no_folder(entry: os.DirEntry[str]) -> bool:
    return not entry.is_dir()


def _matching(pattern: str) -> Iterator[str]:
    yield from (path for path in sorted(glob.iglob(pattern, recursive=True)) if _is_image(path))


def _is_image(path: str) -> bool:
    """Return whether a name is that of an image file; a broken link is one, too, so that it is reported."""
    name = os.path.basename(path)
    if name.startswith(".") or os.path.splitext(name)[1].lower() not in IMAGE_EXTENSIONS:
        return False
    return os.path.isfile(path) or not os.path.exists(path)
