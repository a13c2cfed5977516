"""What a frozen backbone sees in each photograph, computed once instead of once an epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from trainer.augment import augment
from trainer.progress import tracked

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_runtime.preprocess import Pixels
    from trainer.models import Model

    Features = NDArray[np.float32]

BATCH_SIZE = 32


def extract(
    trunk: Model, pixels: Pixels, rows: NDArray[np.int64], *, what: str, augment_seed: int | None = None
) -> Features:
    """Compute the features of photographs.

    Args:
        trunk: gives features, float32 of shape (N, D), for float32 pixels 0..255.
        pixels: uint8 of shape (photos, H, W, 3).
        rows: which of them, shape (N,).
        what: a name for the progress on stderr.
        augment_seed: transform each photograph at random first; None leaves it as it is.

    Returns:
        float32 of shape (N, D).

    """
    starts = range(0, len(rows), BATCH_SIZE)
    results = []
    for start in tracked(starts, len(starts), what):
        batch: Any = tf.cast(pixels[rows[start : start + BATCH_SIZE]], tf.float32)
        if augment_seed is not None:
            batch = augment(batch, tf.constant([augment_seed, start], tf.int64))
        results.append(trunk.predict_on_batch(batch))
    return np.concatenate(results)
