"""Batches for training and validation, fetched row by row from an array that may be larger than memory."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from trainer.images.augment import LIGHT, Limits, augment
from trainer.images.paging import take

if TYPE_CHECKING:
    from numpy.typing import NDArray

# TensorFlow ships no types; these are tf.Tensor and tf.data.Dataset.
Tensor = Any
Batches = Any

ENDLESS = 1 << 30
BATCHES_AN_EPOCH = 1 << 32  # room for the batch's number next to the epoch in one int64
MIXING = LIGHT + 1  # makes the seed of mixup different from those of the transforms and of the light


def steps(count: int, batch_size: int) -> int:
    """Return the number of batches per epoch of `count` rows; the last may be smaller."""
    return math.ceil(count / batch_size)


def training_batches(
    array: NDArray[Any],
    rows: NDArray[np.int64],
    targets: NDArray[Any],
    *,
    batch_size: int,
    seed: int,
    augmented: Limits | None = None,
    mixup: float = 0.0,
    first_epoch: int = 0,
) -> Batches:
    """Return shuffled batches without end, `steps` per epoch; their order depends only on seed and epoch.

    Args:
        array: uint8 pixels of shape (photos, H, W, 3), or floating features of shape (photos, ...).
        rows: the array's rows to train on, shape (N,).
        targets: class indices of these rows, shape (N,), or target probabilities, float32 of shape (N, D).
        batch_size: rows per batch.
        seed: of the order and of the augmentation.
        augmented: the limits of the random transforms of each batch of pixels; None transforms nothing.
        mixup: alpha of the beta distribution with which pairs of photographs are mixed; 0 mixes none. Mixing needs
            probabilities as targets.
        first_epoch: the epoch to start with.

    Returns:
        A tf.data.Dataset of (float32 inputs of shape (n, ...), targets of shape (n, ...)).

    """
    order = tf.data.Dataset.range(first_epoch, ENDLESS).flat_map(
        partial(_epoch_order, count=len(rows), batch_size=batch_size, seed=seed)
    )

    def read(stamp: NDArray[np.int64], positions: NDArray[np.int64]) -> NDArray[Any]:
        values = take(array, rows[positions])
        return augment(values, (seed, int(stamp)), augmented) if augmented else values

    def fetch(stamp: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        pair = _read_in_python(read, (stamp, positions), array), tf.gather(tf.constant(targets), positions)
        return _mixed(*pair, stamp, seed=seed, alpha=mixup) if mixup else pair

    return _apart(order.map(fetch, num_parallel_calls=2, deterministic=True).prefetch(2))


def plain_batches(array: NDArray[Any], rows: NDArray[np.int64], targets: NDArray[Any], *, batch_size: int) -> Batches:
    """Return each row once, in order; arguments and result as for `training_batches`."""

    def read(positions: NDArray[np.int64]) -> NDArray[Any]:
        return take(array, rows[positions])

    def fetch(positions: Tensor) -> tuple[Tensor, Tensor]:
        inputs = _read_in_python(read, (positions,), array)
        return inputs, tf.gather(tf.constant(targets), positions)

    order = tf.data.Dataset.range(len(rows)).batch(batch_size)
    return _apart(order.map(fetch, num_parallel_calls=2, deterministic=True).prefetch(2))


def _apart(batches: Batches) -> Batches:
    """Set private threads for the input pipeline, so that it takes none from the network's kernels.

    Autotuning is off: all parameters are set, and its thread sleeps for up to a minute (TensorFlow 2.21), for which the
    end of a fit or of an evaluation would have to wait.
    """
    options = tf.data.Options()
    options.threading.private_threadpool_size = 2
    options.autotune.enabled = False
    return batches.with_options(options)


def _epoch_order(epoch: Tensor, *, count: int, batch_size: int, seed: int) -> Batches:
    """Return an epoch's batches as (a stamp that is unique to the batch, positions int64 of shape (n,))."""
    positions = tf.random.experimental.stateless_shuffle(tf.range(count, dtype=tf.int64), seed=tf.stack([seed, epoch]))
    batches = tf.data.Dataset.from_tensor_slices(positions).batch(batch_size).enumerate()
    return batches.map(lambda number, chosen: (epoch * BATCHES_AN_EPOCH + number, chosen))


def _read_in_python(read: Any, arguments: tuple[Tensor, ...], array: NDArray[Any]) -> Tensor:  # noqa: ANN401 - as tf.numpy_function takes it
    # stateless, so that it may run in parallel although it is deterministic: the array never changes
    fetched = tf.numpy_function(read, arguments, tf.as_dtype(array.dtype), stateful=False)
    fetched.set_shape((None, *array.shape[1:]))
    return tf.cast(fetched, tf.float32)


def _mixed(inputs: Tensor, targets: Tensor, stamp: Tensor, *, seed: int, alpha: float) -> tuple[Tensor, Tensor]:
    """Mix each row with its mirror in the batch: mixup (Zhang et al.

    2018, arXiv:1710.09412), one fraction per batch.
    """

    def draw(number: NDArray[np.int64]) -> np.float32:
        return np.float32(np.random.default_rng((seed, int(number), MIXING)).beta(alpha, alpha))

    share = tf.numpy_function(draw, (stamp,), tf.float32, stateful=False)
    share.set_shape(())
    return share * inputs + (1 - share) * inputs[::-1], share * targets + (1 - share) * targets[::-1]
