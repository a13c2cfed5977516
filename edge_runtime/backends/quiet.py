"""Suppress the info lines that TFLite's runtimes print on stderr from C++, where Python cannot turn them off."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

STDERR = 2


@contextmanager
def without_info_lines() -> Iterator[None]:
    """Collect what is written to file descriptor 2 within the block; then write it without the lines of `INFO:`.

    Nothing else is lost: warnings, and output of other threads, are written when the block ends.
    """
    kept = _kept_stderr()
    if kept is None:
        yield
        return
    held = os.memfd_create("stderr")
    os.dup2(held, STDERR)
    try:
        yield
    finally:
        os.dup2(kept, STDERR)
        os.close(kept)
        _pass_on(held)


def _kept_stderr() -> int | None:
    """Return a duplicate of the descriptor of stderr, or None in a service without stderr."""
    if sys.stderr is None:
        return None
    sys.stderr.flush()
    try:
        return os.dup(STDERR)
    except OSError:
        return None


def _pass_on(held: int) -> None:
    with os.fdopen(held, "rb") as stream:
        stream.seek(0)
        rest = b"".join(line for line in stream if not line.startswith(b"INFO:"))
    if rest:
        os.write(STDERR, rest)
