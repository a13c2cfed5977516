"""Read regular files: without waiting for a pipe, without an endless device, and inside a folder without links."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# O_NONBLOCK: opening a named pipe would wait for a writer.
FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
# open(2) returns these for a link under O_NOFOLLOW, a file used as a folder, a socket, and a device without a driver.
NOT_REGULAR = frozenset({errno.ELOOP, errno.ENOTDIR, errno.ENXIO, errno.ENODEV})


class NotRegularError(OSError):
    """A folder, pipe, device, socket or symbolic link where a regular file is expected."""


@contextmanager
def opened_inside(folder: Path, relative: str) -> Iterator[int]:
    """Open a regular file inside a folder and yield its descriptor. No part of `relative` may be a symbolic link.

    Args:
        folder: may itself be reached by a link.
        relative: the file's path with forward slashes, without "..".

    Raises:
        OSError: the file is missing or cannot be read; NotRegularError if it, or a folder above it, is something else.

    """
    *parents, name = relative.split("/")
    descriptor = os.open(folder, FLAGS | os.O_DIRECTORY)
    try:
        for part in parents:
            descriptor = _step(descriptor, part, FLAGS | os.O_DIRECTORY | os.O_NOFOLLOW)
        descriptor = _step(descriptor, name, FLAGS | os.O_NOFOLLOW)
        _require_regular(descriptor)
        yield descriptor
    finally:
        os.close(descriptor)


def read_at_most(path: Path, limit: int) -> bytes:
    """Return the content of a regular file; symbolic links to it are followed.

    Raises:
        OSError: the file is missing or cannot be read, is not a regular file, or has more than `limit` bytes.

    """
    descriptor = os.open(path, FLAGS)
    try:
        _require_regular(descriptor)
        content = read_descriptor(descriptor, limit + 1)
    finally:
        os.close(descriptor)
    if len(content) > limit:
        raise NotRegularError(f"has more than {limit} bytes")
    return content


def read_descriptor(descriptor: int, limit: int) -> bytes:
    """Return up to `limit` bytes of an open file, from its position."""
    size = os.fstat(descriptor).st_size
    with os.fdopen(descriptor, "rb", closefd=False) as stream:
        return stream.read(min(size + 1, limit))  # read(limit) would allocate the limit


def _step(descriptor: int, name: str, flags: int) -> int:
    """Open `name` in an open folder and close the folder."""
    try:
        opened = os.open(name, flags, dir_fd=descriptor)
    except OSError as problem:
        if problem.errno in NOT_REGULAR:
            raise NotRegularError("is not a regular file") from None
        raise
    os.close(descriptor)
    return opened


def _require_regular(descriptor: int) -> None:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise NotRegularError("is not a regular file")
