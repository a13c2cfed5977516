"""Import TensorFlow once and suppress its log messages; the converters' logs are shown only if they fail."""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

from export.errors import ExportError

if TYPE_CHECKING:
    from collections.abc import Iterator

# Read by TensorFlow's C++ code at import; a user's own setting has priority.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Collect what C++ and Python write to stderr; show it only if the block raises."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as log:
        os.dup2(log.fileno(), 2)
        failed = True
        try:
            yield
            failed = False
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            if failed:
                log.seek(0)
                sys.stderr.write(log.read().decode(errors="replace"))


with quiet_stderr():
    try:
        import keras
        import tensorflow as tf
    except ModuleNotFoundError as missing:
        raise ExportError(f"{missing.name} is not installed; install it with: pip install 'edgewise[export]'") from None
    # The optimizer fuses a convolution, an addition and a LeakyReLU into one operation that ignores the slope
    # (TensorFlow 2.21 with oneDNN): the reference would be wrong.
    tf.config.optimizer.set_experimental_options({"remapping": False})

__all__ = ["keras", "quiet_stderr", "tf"]
