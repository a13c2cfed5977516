"""Import TensorFlow once, after the user's input has been checked, and suppress its log messages on stderr."""

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
    """Raise TrainingError, with the command that installs them, unless all of these modules are installed."""
    for module in modules:
        if find_spec(module) is None:
            raise TrainingError(f"{module} is not installed; install it with: pip install 'edgewise[train]'")


def require_tensorflow() -> None:
    """Import TensorFlow without its log messages. Raise TrainingError if the extra `train` is not installed."""
    require_modules(*NEEDED)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    # TensorFlow enables oneDNN's kernels only on some processors; on others, too, an epoch takes a third less time with
    # them. Among several machines, the sum of the gradients blocked with them on two cores.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0" if "TF_CONFIG" in os.environ else "1")
    if "tensorflow" not in sys.modules:
        with _native_stderr_held_back():
            import_module("tensorflow")
        logging.getLogger("tensorflow").setLevel(logging.ERROR)  # its hints about retracing are for its developers


@contextmanager
def _native_stderr_held_back() -> Iterator[None]:
    """Discard what is written to file descriptor 2, unless the block fails: then it may contain the reason.

    Before its logging is set up, TensorFlow prints notes about processors and missing GPUs at any log level.
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
