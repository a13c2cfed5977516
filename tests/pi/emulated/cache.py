"""Folders that are kept between runs; the key of each is a digest of its inputs."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

UNUSED_S = 14 * 24 * 3600  # a folder that was not used for this time is removed


def cache_folder() -> Path:
    """Return the folder of the cache."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "edgewise-pi"


def cached(name: str, inputs: object, make: Callable[[Path], None]) -> Path:
    """Return a folder that `make` has filled, in this run or an earlier one.

    Args:
        name: a part of the folder's name.
        inputs: everything that determines the content; it must be serializable as JSON.
        make: fills an empty folder, which is renamed when it is complete.

    """
    key = hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:12]
    folder = cache_folder() / f"{name}-{key}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _locked(folder.parent / f"{name}.lock"):
        if not folder.is_dir():
            _remove_unused(folder.parent, name)
            staging = Path(tempfile.mkdtemp(prefix=f"{name}.partial-", dir=folder.parent))
            try:
                staging.chmod(0o755)
                make(staging)
                staging.rename(folder)
            finally:
                shutil.rmtree(staging, ignore_errors=True)
        os.utime(folder)
    return folder


def digest(*paths: Path) -> str:
    """Return the SHA-256 digest of the contents of files, for the inputs of `cached`."""
    total = hashlib.sha256()
    for path in paths:
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def _remove_unused(parent: Path, name: str) -> None:
    for folder in parent.glob(f"{name}-????????????"):
        if time.time() - folder.stat().st_mtime > UNUSED_S:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock, so that only one process makes a folder; the others wait and then use it."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
