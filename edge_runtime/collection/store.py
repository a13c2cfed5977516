"""Pictures in folders: written completely or not at all, and moved by one rename each.

A kept picture has a sidecar, a JSON file of the same stem. The picture's own place decides: a sidecar is put into the
place where the picture will be before the picture is there, and one without a picture has no meaning.
"""

from __future__ import annotations

import os
import shutil
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from edge_runtime.collection.names import is_label, is_picture_name
from edge_runtime.storage.json_files import PARTIAL, sync_folder, write_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

SIDECAR = ".json"
DELETED = ".deleted"  # the folder of pictures that were deleted, until the next start
LEFTOVER_S = 60.0  # another process may still be writing a younger file


def sidecar_of(name: str) -> str:
    """Return the name of a picture's sidecar."""
    return f"{name.rpartition('.')[0]}{SIDECAR}"


def picture_names(folder: Path) -> Iterator[str]:
    """Yield the names of the pictures in a folder, in any order; none if there is no such folder."""
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        yield from (entry.name for entry in entries if is_picture_name(entry.name))


def label_folders(folder: Path) -> list[str]:
    """Return the names of the class folders in a folder, sorted; none if there is no such folder."""
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False) and is_label(entry.name))
    return []


def free_bytes(folder: Path) -> int:
    """Return the number of bytes that are free for this user on a folder's file system. Raise OSError."""
    return shutil.disk_usage(folder).free


def write_picture(path: Path, content: bytes, sidecar: bytes | None = None) -> None:
    """Write a picture, after its sidecar if it has one. Raise OSError; then there is no picture."""
    if sidecar is not None:
        write_bytes(path.with_name(sidecar_of(path.name)), sidecar)
    try:
        write_bytes(path, content)
    except OSError:
        if sidecar is not None:
            _remove(path.with_name(sidecar_of(path.name)))
        raise


def move_picture(name: str, source: Path, target: Path) -> bool:
    """Move a picture with its sidecar to another folder, which is created if it is missing.

    Returns:
        Whether the picture was there to be moved.

    Raises:
        OSError: the target cannot be written; the picture is then where it was.

    """
    target.mkdir(parents=True, exist_ok=True)
    sidecar = sidecar_of(name)
    _copy(source / sidecar, target / sidecar)
    try:
        (source / name).rename(target / name)
    except OSError as problem:
        if not (target / name).exists():  # otherwise another process has moved it there
            _remove(target / sidecar)
        if isinstance(problem, FileNotFoundError):
            return False
        raise
    _remove(source / sidecar)
    return True


def sync_folders(folders: Iterable[Path]) -> None:
    """Write the entries of folders to the storage device; of those that exist."""
    for folder in set(folders):
        with suppress(FileNotFoundError):
            sync_folder(folder)


def remove_picture(folder: Path, name: str) -> None:
    """Delete a picture, then its sidecar; those that are missing are no error. Raise OSError."""
    (folder / name).unlink(missing_ok=True)
    (folder / sidecar_of(name)).unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> None:
    """Remove what killed processes left in a folder: files that are not complete, and sidecars without a picture."""
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        names = {entry.name for entry in entries if entry.is_file(follow_symlinks=False)}
        stems = {name.rpartition(".")[0] for name in names if is_picture_name(name)}
        for name in names:
            stem, _, suffix = name.rpartition(".")
            is_orphan = f".{suffix}" == SIDECAR and stem not in stems and is_picture_name(f"{stem}.jpg")
            is_partial = name.startswith(".") and name.endswith(PARTIAL)
            if (is_orphan or is_partial) and _age_s(folder / name) > LEFTOVER_S:
                _remove(folder / name)


def purge_deleted(folder: Path) -> None:
    """Remove the pictures that were deleted before the last start."""
    with suppress(OSError):
        shutil.rmtree(folder / DELETED, ignore_errors=True)


def _copy(source: Path, target: Path) -> None:
    """Make a sidecar available at a second place; by a link where the file system has links."""
    if target.exists():
        return
    try:
        os.link(source, target)
    except FileNotFoundError:
        return
    except OSError:
        with suppress(FileNotFoundError):
            write_bytes(target, source.read_bytes())


def _age_s(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)
