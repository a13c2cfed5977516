"""TFLite's runtimes announce themselves on stderr from C++ and give Python no way to tell them not to."""

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
    """Hold back what is written to file descriptor 2 within the block; then write it, lines of `INFO:` left out.

    Nothing else is lost: warnings, and what other threads write, come when the block ends.
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
    """Give a second descriptor for stderr, or None in a service that has none, and so nothing to keep clean."""
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
