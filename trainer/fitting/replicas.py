"""The training loop for several devices.

`Model.fit` of Keras 3 cannot train on several machines (https://github.com/keras-team/keras/issues/20585): it reduces
each step's scalars along an axis that they do not have. This loop does the same work, with the same callbacks.
"""

from __future__ import annotations

import itertools
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from trainer.errors import TrainingError
from trainer.networks.models import is_correct

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from trainer.fitting.task import FitTask
    from trainer.images.batches import Batches
    from trainer.networks.models import Model

# TensorFlow ships no types; these are tf.Tensor, tf.distribute.Strategy and a function of an iterator.
Tensor = Any
Strategy = Any
Step = Any

# TensorFlow raises these from collective operations when another machine does not respond.
LOST_WORKER_ERRORS = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
)


def fit_replicas(model: Model, task: FitTask, *, first_epoch: int, callbacks: Sequence[Any]) -> None:
    """Fit a compiled model on all devices of the task's strategy.

    Each device processes its part of each batch. An epoch's last, smaller batch is shortened so that it can be divided
    equally; the omitted rows differ between epochs. Batch normalisation uses only its device's part.

    Args:
        model: built in the strategy's scope; its loss is a keras.Loss.
        task: the data, the length and the strategy, mirrored on one machine or several.
        first_epoch: number of the first epoch, counted from 0.
        callbacks: for Keras; they receive the loss and the accuracy, which are equal on every machine.

    Raises:
        TrainingError: the connection to another machine was lost.

    """
    strategy = task.strategy
    callback_list = keras.callbacks.CallbackList(list(callbacks), model=model)
    model.optimizer.build(model.trainable_variables)
    train_step, test_step = _train_step(model, strategy, task.class_weight), _test_step(model, strategy)
    train = iter(_distributed(strategy, _divisible(task.train(first_epoch), strategy.num_replicas_in_sync)))
    validation = _distributed(strategy, task.validation)
    model.stop_training = False
    with _worker_loss_reported(strategy):
        callback_list.on_train_begin()
        for epoch in range(first_epoch, task.plan.epochs):
            callback_list.on_epoch_begin(epoch)
            logs = _run_steps(train, train_step, task.plan.steps, callback_list.on_train_batch_end)
            val_logs = _run_steps(iter(validation), test_step)
            callback_list.on_epoch_end(epoch, logs | {f"val_{name}": value for name, value in val_logs.items()})
            if model.stop_training:
                break
        callback_list.on_train_end()


def divisible_rows(count: int, replicas: int) -> int:
    """Return how many of an epoch's rows are used: as many as can be divided equally among the devices."""
    return count - count % replicas


@contextmanager
def _worker_loss_reported(strategy: Strategy) -> Iterator[None]:
    """Raise TrainingError if the connection to another machine is lost."""
    try:
        yield
    except LOST_WORKER_ERRORS as problem:
        if strategy.cluster_resolver is None:  # there is only one machine, so the error has another cause
            raise
        reason = str(problem.message).rpartition("aborted by: ")[2].strip().partition("\n")[0]
        raise TrainingError(f"another worker was lost ({reason}); restart all workers with --resume RUN") from None


def _divisible(batches: Batches, replicas: int) -> Batches:
    """Shorten each batch to a multiple of the number of devices; leave out empty batches."""

    def cut(inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        count = tf.shape(inputs)[0] // replicas * replicas
        return inputs[:count], targets[:count]

    return batches.map(cut).filter(lambda inputs, _: tf.shape(inputs)[0] > 0)


def _distributed(strategy: Strategy, batches: Batches) -> Any:  # noqa: ANN401 - TensorFlow ships no types
    """Distribute batches: each worker computes all of them, which are equal everywhere, and uses its own rows."""
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return strategy.experimental_distribute_dataset(batches.with_options(options))


def _train_step(model: Model, strategy: Strategy, class_weight: dict[int, float] | None) -> Step:
    weights = None if class_weight is None else tf.constant([class_weight[at] for at in sorted(class_weight)])

    def train_on_part(inputs: Tensor, targets: Tensor) -> Tensor:
        """Update the weights with this device's part of a batch; return its sums."""
        with tf.GradientTape() as tape:
            outputs = model(inputs, training=True)
            row_weights = None if weights is None else tf.gather(weights, _classes(targets))
            loss = model.loss(targets, outputs, sample_weight=row_weights)  # this device's part of the batch's mean
            scaled = model.optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled, model.trainable_variables)
        model.optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))  # adds up the parts
        return _sums(loss, targets, outputs, strategy)

    return _on_all_replicas(train_on_part, strategy)


def _test_step(model: Model, strategy: Strategy) -> Step:
    def test_on_part(inputs: Tensor, targets: Tensor) -> Tensor:
        outputs = model(inputs, training=False)
        return _sums(model.loss(targets, outputs), targets, outputs, strategy)

    return _on_all_replicas(test_on_part, strategy)


def _on_all_replicas(step: Callable[[Tensor, Tensor], Tensor], strategy: Strategy) -> Step:
    """Return a function that runs a step on every device and adds up the results."""

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator] # TensorFlow ships no types
    def run(batch: Any) -> Tensor:  # noqa: ANN401 - the same
        return strategy.reduce("SUM", strategy.run(step, args=batch), axis=None)

    return run


def _sums(loss: Tensor, targets: Tensor, outputs: Tensor, strategy: Strategy) -> Tensor:
    """Return (loss, correct predictions, rows), each summed over this device's rows."""
    rows = tf.cast(tf.shape(targets)[0], tf.float32)
    correct = tf.reduce_sum(tf.cast(is_correct(targets, outputs), tf.float32))
    return tf.stack([tf.cast(loss, tf.float32) * strategy.num_replicas_in_sync * rows, correct, rows])


def _run_steps(
    batches: Iterator[Any],
    step: Step,
    steps: int | None = None,
    on_batch_end: Callable[[int, dict[str, float]], None] | None = None,
) -> dict[str, float]:
    """Run a step on each batch, at most `steps` of them.

    Returns:
        The mean "loss" and the "accuracy", 0..1. `on_batch_end` receives the intermediate values after each batch.

    """
    sums = np.zeros(3)
    logs: dict[str, float] = {}
    for number, batch in enumerate(itertools.islice(batches, steps)):
        sums += np.asarray(step(batch), np.float64)
        logs = {"loss": float(sums[0] / sums[2]), "accuracy": float(sums[1] / sums[2])}
        if on_batch_end:
            on_batch_end(number, logs)
    return logs


def _classes(targets: Tensor) -> Tensor:
    """Return the class index of the largest target probability, shape (N,); mixup may have mixed two classes."""
    if targets.shape[-1] == 1:
        return tf.cast(tf.round(targets[:, 0]), tf.int32)
    return tf.argmax(targets, axis=1)
