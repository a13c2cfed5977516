"""Load a Keras model's file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainer.errors import TrainingError

if TYPE_CHECKING:
    from pathlib import Path

    from trainer.networks.models import Model


def load_keras(path: Path, hint: str) -> Model:
    """Load a .keras or .h5 file, without the parts that only training needs.

    Args:
        path: the file.
        hint: what to do if it cannot be read, for the error message.

    Raises:
        TrainingError: the file is not a readable Keras model.

    """
    import keras

    try:
        return keras.models.load_model(path, compile=False)
    except Exception as problem:  # noqa: BLE001 - h5py, zipfile and Keras raise many types of exceptions for an invalid file
        reason = str(problem).strip().partition("\n")[0] or type(problem).__name__
        raise TrainingError(f"{path}: not readable ({reason}); {hint}") from None
