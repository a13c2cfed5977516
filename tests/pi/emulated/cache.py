"""Folders that are kept between runs, each keyed by all that went into it."""

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

UNUSED_S = 14 * 24 * 3600  # a folder that no run has asked for in so long is removed


def cache_folder() -> Path:
    """Give the folder that holds everything which is kept."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "edgewise-pi"


def kept(name: str, inputs: object, make: Callable[[Path], None]) -> Path:
    """Give a folder that `make` has filled, in this run or in an earlier one.

    Args:
        name: what it holds, part of its path.
        inputs: all that decides its content, as JSON can write it.
        make: fills an empty folder, which takes its place only when it is whole.

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
    """Give the SHA-256 of files' contents, for `kept`'s inputs."""
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
    """Let one process at a time make a folder; the others wait and then find it."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
