"""Batches for training and validation, fetched row by row from an array that may be larger than memory."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from trainer.augment import augment

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# TensorFlow ships no types; these are tf.Tensor and tf.data.Dataset.
Tensor = Any
Batches = Any

ENDLESS = 1 << 30
BATCHES_AN_EPOCH = 1 << 32  # room for the batch's number beside the epoch in one int64


def steps(count: int, batch_size: int) -> int:
    """Give how many batches an epoch of `count` rows has; the last may be smaller."""
    return math.ceil(count / batch_size)


def training_batches(
    array: NDArray[Any],
    rows: NDArray[np.int64],
    targets: NDArray[np.int64],
    *,
    batch_size: int,
    seed: int,
    augmented: bool = False,
    first_epoch: int = 0,
) -> Batches:
    """Give shuffled batches without end, `steps` of them an epoch; their order follows from seed and epoch alone.

    Args:
        array: uint8 pixels of shape (photos, H, W, 3), or float32 features of shape (photos, D).
        rows: the array's rows to train on, shape (N,).
        targets: class indices of these rows, shape (N,).
        batch_size: rows a batch.
        seed: of the order and of the augmentation.
        augmented: transform each batch of pixels at random.
        first_epoch: where to start.

    Returns:
        A tf.data.Dataset of (float32 inputs of shape (n, ...), int64 targets of shape (n,)).

    """
    order = tf.data.Dataset.range(first_epoch, ENDLESS).flat_map(
        partial(_epoch_order, count=len(rows), batch_size=batch_size, seed=seed)
    )

    def fetch(stamp: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        inputs, chosen = _fetch(array, rows, targets, positions)
        return (augment(inputs, tf.stack([seed, stamp])) if augmented else inputs), chosen

    return order.map(fetch, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True).prefetch(2)


def plain_batches(
    array: NDArray[Any], rows: NDArray[np.int64], targets: NDArray[np.int64], *, batch_size: int
) -> Batches:
    """Give each row once, in order; arguments and result as for `training_batches`."""
    order = tf.data.Dataset.range(len(rows)).batch(batch_size)
    return order.map(partial(_fetch, array, rows, targets), num_parallel_calls=2, deterministic=True).prefetch(2)


def _epoch_order(epoch: Tensor, *, count: int, batch_size: int, seed: int) -> Batches:
    """Give an epoch's batches as (stamp that no other batch has, positions int64 of shape (n,))."""
    positions = tf.random.experimental.stateless_shuffle(tf.range(count, dtype=tf.int64), seed=tf.stack([seed, epoch]))
    batches = tf.data.Dataset.from_tensor_slices(positions).batch(batch_size).enumerate()
    return batches.map(lambda number, chosen: (epoch * BATCHES_AN_EPOCH + number, chosen))


def _fetch(
    array: NDArray[Any], rows: NDArray[np.int64], targets: NDArray[np.int64], positions: Tensor
) -> tuple[Tensor, Tensor]:
    # stateless, so that determinism does not cost its parallelism: the array never changes
    fetched = tf.numpy_function(lambda at: array[rows[at]], [positions], tf.as_dtype(array.dtype), stateful=False)
    fetched.set_shape((None, *array.shape[1:]))
    return tf.cast(fetched, tf.float32), tf.gather(tf.constant(targets), positions)
