"""TensorFlow is asked for once, after the user's input has been checked, and kept from chattering on stderr."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from trainer.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Iterator

NEEDED = ("tensorflow", "keras", "sklearn", "scipy", "cv2", "matplotlib")


def require_modules(*modules: str) -> None:
    """Raise TrainingError, with the install line, unless all of these are installed."""
    for module in modules:
        if find_spec(module) is None:
            raise TrainingError(f"{module} is not installed; pip install 'edgewise[train]'")


def require_tensorflow() -> None:
    """Import TensorFlow quietly. Raises TrainingError, with the install line, where the trainer's extra is missing."""
    require_modules(*NEEDED)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    # TensorFlow takes oneDNN's kernels by itself on some processors alone; on others too an epoch takes a third less.
    # Among several machines the sum of the gradients stood still with them on two cores.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0" if "TF_CONFIG" in os.environ else "1")
    if "tensorflow" not in sys.modules:
        with _native_stderr_held_back():
            import_module("tensorflow")
        logging.getLogger("tensorflow").setLevel(logging.ERROR)  # its hints on retracing are for its programmers


@contextmanager
def _native_stderr_held_back() -> Iterator[None]:
    """Drop what is written to file descriptor 2, unless the block fails: then it may say why.

    Before its log is set up, TensorFlow prints notes on processors and missing GPUs whatever its log level.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(kept, held.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
