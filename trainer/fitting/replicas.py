"""The training loop for several devices.

`Model.fit` of Keras 3 cannot train on several machines (https://github.com/keras-team/keras/issues/20585): it reduces
each step's scalars along an axis that they do not have. This loop does the same work, with the same callbacks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from trainer.errors import TrainingError
from trainer.networks.models import right

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from trainer.data.batches import Batches
    from trainer.networks.models import Model

# TensorFlow ships no types; these are tf.Tensor, tf.distribute.Strategy and a function of an iterator.
Tensor = Any
Strategy = Any
Step = Any

# raised by collective operations when another machine does not respond
LOST = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError, tf.errors.DeadlineExceededError)


def fit_replicas(
    model: Model,
    strategy: Strategy,
    train: Batches,
    validation: Batches,
    *,
    epochs: range,
    steps: int,
    class_weight: dict[int, float] | None,
    callbacks: Sequence[Any],
) -> None:
    """Fit a compiled model, built in the strategy's scope, which must be open.

    Each device processes its part of each batch. Of an epoch's last, smaller batch, the rows that cannot be divided
    equally are left out: other rows in each epoch. Batch normalisation uses only its device's part.

    Args:
        model: its loss is a keras.Loss.
        strategy: mirrored, on one machine or several.
        train: batches without end.
        validation: batches, each row once.
        epochs: their numbers, from 0.
        steps: batches per epoch.
        class_weight: of each class index, in the training loss.
        callbacks: for Keras; they receive the loss and the accuracy, which are equal on every machine.

    Raises:
        TrainingError: another machine was lost.

    """
    replicas = strategy.num_replicas_in_sync
    model.optimizer.build(model.trainable_variables)
    told = keras.callbacks.CallbackList(list(callbacks), model=model)
    train_step, test_step = _train_step(model, strategy, class_weight), _test_step(model, strategy)
    batches = iter(_shared(strategy, _divisible(train, replicas)))
    held_out = _shared(strategy, validation)
    model.stop_training = False
    try:
        told.on_train_begin()
        for epoch in epochs:
            told.on_epoch_begin(epoch)
            logs = _mean(batches, train_step, steps, told.on_train_batch_end)
            checked = _mean(iter(held_out), test_step, None, None)
            told.on_epoch_end(epoch, logs | {f"val_{name}": value for name, value in checked.items()})
            if model.stop_training:
                break
        told.on_train_end()
    except LOST as problem:
        if strategy.cluster_resolver is None:  # a single machine cannot lose another one
            raise
        reason = str(problem.message).rpartition("aborted by: ")[2].strip().partition("\n")[0]
        raise TrainingError(f"another worker was lost ({reason}); start all of them again with --resume RUN") from None


def rows_of(count: int, replicas: int) -> int:
    """Return how many of an epoch's rows are used: as many as can be divided equally among the devices."""
    return count - count % replicas


def _divisible(batches: Batches, replicas: int) -> Batches:
    def cut(inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        count = tf.shape(inputs)[0] // replicas * replicas
        return inputs[:count], targets[:count]

    return batches.map(cut).filter(lambda inputs, _: tf.shape(inputs)[0] > 0)


def _shared(strategy: Strategy, batches: Batches) -> Any:  # noqa: ANN401 - TensorFlow ships no types
    """Let each worker compute every batch, equal everywhere, and use its own rows of it."""
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return strategy.experimental_distribute_dataset(batches.with_options(options))


def _train_step(model: Model, strategy: Strategy, class_weight: dict[int, float] | None) -> Step:
    weights = None if class_weight is None else tf.constant([class_weight[at] for at in sorted(class_weight)])

    def step(inputs: Tensor, targets: Tensor) -> Tensor:
        with tf.GradientTape() as tape:
            outputs = model(inputs, training=True)
            rows = None if weights is None else tf.gather(weights, _classes(targets))
            loss = model.loss(targets, outputs, sample_weight=rows)  # this device's part of the batch's mean
            scaled = model.optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled, model.trainable_variables)
        model.optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))  # adds up the parts
        return _sums(loss, targets, outputs, strategy)

    return _everywhere(step, strategy)


def _test_step(model: Model, strategy: Strategy) -> Step:
    def step(inputs: Tensor, targets: Tensor) -> Tensor:
        outputs = model(inputs, training=False)
        return _sums(model.loss(targets, outputs), targets, outputs, strategy)

    return _everywhere(step, strategy)


def _everywhere(step: Callable[[Tensor, Tensor], Tensor], strategy: Strategy) -> Step:
    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator] # TensorFlow ships no types
    def run(batch: Any) -> Tensor:  # noqa: ANN401 - the same
        return strategy.reduce("SUM", strategy.run(step, args=batch), axis=None)

    return run


def _sums(loss: Tensor, targets: Tensor, outputs: Tensor, strategy: Strategy) -> Tensor:
    """Return (loss, correct decisions, rows), each summed over this device's rows."""
    rows = tf.cast(tf.shape(targets)[0], tf.float32)
    hits = tf.reduce_sum(tf.cast(right(targets, outputs), tf.float32))
    return tf.stack([tf.cast(loss, tf.float32) * strategy.num_replicas_in_sync * rows, hits, rows])


def _mean(
    batches: Iterator[Any], step: Step, steps: int | None, tell: Callable[[int, dict[str, float]], None] | None
) -> dict[str, float]:
    """Process `steps` batches or all; return the mean loss and the accuracy, and call the callbacks."""
    sums = np.zeros(3)
    logs: dict[str, float] = {}
    for number, batch in zip(range(steps) if steps else iter(int, 1), batches, strict=False):
        sums += np.asarray(step(batch), np.float64)
        logs = {"loss": float(sums[0] / sums[2]), "accuracy": float(sums[1] / sums[2])}
        if tell:
            tell(number, logs)
    return logs


def _classes(targets: Tensor) -> Tensor:
    """Return the class indices, shape (N,), of target probabilities, which mixup may have mixed."""
    if targets.shape[-1] == 1:
        return tf.cast(tf.round(targets[:, 0]), tf.int32)
    return tf.argmax(targets, axis=1)
