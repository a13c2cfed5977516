"""Compute the outputs of a backbone's frozen layers once for each view of a photograph, instead of once per epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from trainer.fitting.job import Rows, rows_of_split
from trainer.images.augment import LIMITS, STANDARD, Limits, augment
from trainer.images.paging import release_pages, take
from trainer.progress import tracked

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from edge_runtime.image.preprocess import Pixels
    from trainer.fitting.job import Job
    from trainer.networks.models import Model
    from trainer.options import Options

    Features = NDArray[np.float16]

BATCH_SIZE = 32
IN_MEMORY_BYTES = 256 * 2**20  # a larger array is written to a file whose pages the system may release
FLOAT16_MAX = 65504
FEW_PHOTOGRAPHS, DEFAULT_VIEWS = 100, 2  # with fewer training photographs, augmented views make the head more accurate


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
    """Compute the features of photographs, and of augmented views of them.

    Args:
        trunk: computes features, float32 of shape (N, ...), from float32 pixels 0..255.
        pixels: uint8 of shape (photos, H, W, 3).
        rows: the photographs to use, shape (N,).
        views: number of augmented views of each photograph, in addition to itself.
        limits: the largest transforms.
        seed: of the transforms.
        what: the text of the progress on stderr.
        file: where features of more than IN_MEMORY_BYTES are written; None keeps them in memory.

    Returns:
        float16 of shape ((1 + views) * N, ...): all photographs, then all first views, and so on. Half precision keeps
        11 bits of each feature in half of the memory.

    """
    shape = ((1 + views) * len(rows), *trunk.output_shape[1:])
    features = _allocate(shape, file)
    starts = [(view, start) for view in range(1 + views) for start in range(0, len(rows), BATCH_SIZE)]
    for view, start in tracked(starts, len(starts), what):
        batch = take(pixels, rows[start : start + BATCH_SIZE])
        if view:
            batch = augment(batch, (seed, view, start), limits)
        outputs: Any = trunk.predict_on_batch(tf.cast(batch, tf.float32))
        at = view * len(rows) + start
        features[at : at + len(batch)] = np.clip(outputs, -FLOAT16_MAX, FLOAT16_MAX)
        release_pages(features)
    return features


def features_of_splits(trunk: Model, job: Job) -> tuple[Rows, Rows]:
    """Compute the features of the training photographs, with their augmented views, and of the validation photographs.

    Args:
        trunk: as for `extract`.
        job: the photographs and the settings; its folder receives a large array.

    Returns:
        The training rows and the validation rows.

    """
    options = job.options
    train, validation = rows_of_split(job.dataset, "train"), rows_of_split(job.dataset, "validation")
    limits = LIMITS[options.augment]
    views = number_of_views(options, len(train.rows)) if limits else 0
    and_views = f" and {views} views of each" if views else ""
    training_features = extract(
        trunk,
        train.array,
        train.rows,
        views=views,
        limits=limits or STANDARD,
        seed=options.seed,
        what=f"computing features of {len(train.rows)} training photographs{and_views}",
        file=job.work / "features.npy",
    )
    validation_features = extract(
        trunk,
        validation.array,
        validation.rows,
        what=f"computing features of {len(validation.rows)} validation photographs",
    )
    return (
        Rows(training_features, np.arange(len(training_features)), np.tile(train.targets, (1 + views, 1))),
        Rows(validation_features, np.arange(len(validation_features)), validation.targets),
    )


def pooled_features(neck: Model, lower_features: Rows) -> Rows:
    """Compute the inputs of the head from the outputs of the frozen layers, through the layers to be fine-tuned."""
    array = extract(neck, lower_features.array, lower_features.rows, what="computing inputs of the trainable layers")
    return lower_features._replace(array=array)


def number_of_views(options: Options, photographs: int) -> int:
    """Return the number of augmented views per training photograph: the option's, else more than 0 for a small set."""
    if options.views is not None:
        return options.views
    return DEFAULT_VIEWS if photographs < FEW_PHOTOGRAPHS else 0


def _allocate(shape: tuple[int, ...], file: Path | None) -> Features:
    """Return an empty array: in memory, or, if it is large, in a memory-mapped file."""
    if file is None or 2 * np.prod(shape, dtype=np.int64) <= IN_MEMORY_BYTES:
        return np.empty(shape, np.float16)
    array: Features = np.lib.format.open_memmap(file, "w+", np.float16, shape)  # type: ignore[no-untyped-call] # numpy ships no types for it
    return array
