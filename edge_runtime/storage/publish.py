"""Folders that appear complete or not at all."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.storage.json_files import sync_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge_runtime.errors import EdgeError

# linux/fcntl.h and linux/fs.h; see rename(2).
AT_FDCWD, RENAME_EXCHANGE = -100, 2


def refuse_existing(path: Path, *, overwrite: bool, error: type[EdgeError]) -> None:
    """Raise `error` if `path` exists and may not be replaced."""
    if path.exists() and not overwrite:
        raise error(f"{path}: exists already; choose another place or pass --overwrite")


@contextmanager
def published_folder(path: Path, *, overwrite: bool, error: type[EdgeError]) -> Iterator[Path]:
    """Yield an empty folder next to `path`, which replaces `path` when the block ends, and is removed if it fails.

    An older folder stays complete until the new one is complete, and is replaced in one step. Folders that a killed
    process left next to `path` are removed. Raise `error` if `path` exists and may not be replaced, or its parent
    cannot be written.
    """
    import fcntl  # these imports would cost every start of edge-run 10 ms
    import shutil
    import tempfile

    refuse_existing(path, overwrite=overwrite, error=error)
    if path.is_symlink():
        path = path.resolve()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(path)
        staging = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent))
    except OSError as problem:
        raise error(f"{path}: cannot be written: {problem.strerror}") from None
    claim = os.open(staging, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(claim, fcntl.LOCK_EX)  # the kernel releases it when the process ends, however it ends
        staging.chmod(0o755)  # mkdtemp uses 0700, which is for secrets
        yield staging
        _sync(staging)
        _replace(staging, path)
        sync_folder(path.parent)
    finally:
        os.close(claim)
        shutil.rmtree(staging, ignore_errors=True)


def _sync(folder: Path) -> None:
    """Write files and folders to the storage device, so that a power failure leaves no incomplete folder."""
    for parent, _, names in os.walk(folder):
        for name in names:
            descriptor = os.open(Path(parent, name), os.O_RDONLY | os.O_NOFOLLOW)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        sync_folder(Path(parent))


def _remove_leftovers(path: Path) -> None:
    """Remove the unfinished folders of processes that have ended."""
    import fcntl
    import shutil

    for leftover in path.parent.iterdir():
        if not (leftover.name.startswith(f".{path.name}.") and leftover.suffix == ".partial"):
            continue
        try:
            claim = os.open(leftover, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:  # not a folder, or another process has just finished with it
            continue
        try:
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(leftover, ignore_errors=True)
        except BlockingIOError:  # another process is working on it
            continue
        finally:
            os.close(claim)


def _replace(staging: Path, path: Path) -> None:
    """Replace `path` by `staging`; an older folder is then at the place of `staging`, or removed."""
    import shutil

    if not path.exists():
        staging.rename(path)
        return
    if exchange(staging, path):
        return
    old = staging.with_suffix(".old")
    path.rename(old)  # a folder that is not empty cannot be replaced in one step
    try:
        staging.rename(path)
    except OSError:
        old.rename(path)
        raise
    shutil.rmtree(old, ignore_errors=True)


def exchange(one: Path, other: Path) -> bool:
    """Exchange two paths in one step; return False if the C library, the kernel or the file system cannot."""
    import ctypes

    renameat2 = getattr(ctypes.CDLL(None), "renameat2", None)
    if renameat2 is None:
        return False
    done: int = renameat2(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE)
    return done == 0
