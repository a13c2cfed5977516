"""Compute the outputs of a backbone's frozen layers once for each view of a photograph, instead of once per epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from trainer.data.augment import STANDARD, Limits, augment
from trainer.data.paging import let_go, take
from trainer.progress import tracked

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from edge_runtime.image.preprocess import Pixels
    from trainer.networks.models import Model

    Features = NDArray[np.float16]

BATCH_SIZE = 32
HEAD_SAMPLE, FOLDS = 2000, 3
HEAD_C = (
    0.03  # inverse strength of its L2 penalty; between the best values for cats and dogs (0.01) and hand signs (0.1)
)
IN_MEMORY_BYTES = 256 * 2**20  # a larger array is written to a file whose pages the system may release


def extract(
    trunk: Model,
    pixels: Pixels,
    rows: NDArray[np.int64],
    *,
    views: int = 0,
    limits: Limits = STANDARD,
    seed: int = 0,
    what: str,
    file: Path | None = None,
) -> Features:
    """Compute the features of photographs, and of transformed views of them.

    Args:
        trunk: computes features, float32 of shape (N, ...), from float32 pixels 0..255.
        pixels: uint8 of shape (photos, H, W, 3).
        rows: the photographs to use, shape (N,).
        views: number of random transforms of each photograph, in addition to itself.
        limits: the largest transforms.
        seed: of the transforms.
        what: the text of the progress on stderr.
        file: where features of more than IN_MEMORY_BYTES are written.

    Returns:
        float16 of shape ((1 + views) * N, ...): all photographs, then all first views, and so on. Half precision keeps
        11 bits of each feature in half of the memory.

    """
    shape = ((1 + views) * len(rows), *trunk.output_shape[1:])
    results = _room(shape, file)
    starts = [(view, start) for view in range(1 + views) for start in range(0, len(rows), BATCH_SIZE)]
    for view, start in tracked(starts, len(starts), what):
        batch = take(pixels, rows[start : start + BATCH_SIZE])
        if view:
            batch = augment(batch, (seed, view, start), limits)
        seen: Any = trunk.predict_on_batch(tf.cast(batch, tf.float32))
        at = view * len(rows) + start
        results[at : at + len(batch)] = np.clip(seen, -65504, 65504)  # the largest float16
        let_go(results)
    return results


def head_misses(features: NDArray[np.floating[Any]], targets: NDArray[np.float32], seed: int) -> float:
    """Estimate the error rate of a linear head on features by cross-validation.

    The validation photographs alone are too few: of a hundred, two or six are misclassified by chance.

    Args:
        features: shape (N, D); about HEAD_SAMPLE of them are used.
        targets: target probabilities, shape (N, 1) for two classes, else (N, classes).
        seed: of the selection and of the folds.

    Returns:
        Fraction of misclassified photographs, each held out once; 0 if a class has too few to hold any out.

    """
    labels = targets.argmax(axis=1) if targets.shape[1] > 1 else (targets[:, 0] > 0.5).astype(np.int64)
    rows = np.random.default_rng(seed).permutation(len(labels))[:HEAD_SAMPLE]
    if np.unique(labels[rows], return_counts=True)[1].min() < FOLDS:
        return 0.0
    values = features[rows].astype(np.float32)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    head = LogisticRegression(C=HEAD_C, max_iter=200)
    decided = cross_val_predict(head, values - values.mean(axis=0), labels[rows], cv=folds)
    return float(np.mean(decided != labels[rows]))


def _room(shape: tuple[int, ...], file: Path | None) -> Features:
    if file is None or 2 * np.prod(shape, dtype=np.int64) <= IN_MEMORY_BYTES:
        return np.empty(shape, np.float16)
    room: Features = np.lib.format.open_memmap(file, "w+", np.float16, shape)  # type: ignore[no-untyped-call] # numpy gives it no types
    return room
