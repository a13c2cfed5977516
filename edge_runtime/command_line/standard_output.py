"""Keep what libraries write to standard output away from the results."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

STDOUT, STDERR = 1, 2


@contextmanager
def results_stream() -> Iterator[TextIO]:
    """Yield a stream to standard output, to which only its user writes.

    Until the end of the block, what C and C++ code writes to standard output, such as the messages of some versions of
    onnxruntime, goes to standard error. If `sys.stdout` was replaced, as by a test, it is yielded as it is.
    """
    before = sys.stdout
    if before is not sys.__stdout__ or before is None or before.fileno() != STDOUT:
        yield before
        return
    before.flush()
    copy = os.dup(STDOUT)
    os.dup2(STDERR, STDOUT)
    stream = os.fdopen(copy, "w", encoding=before.encoding, errors=before.errors, closefd=False)
    try:
        yield stream
    finally:
        os.dup2(copy, STDOUT)
