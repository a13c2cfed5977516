"""Fit a model: stop early by the validation loss, keep the best weights, allow an interruption at any time."""

from __future__ import annotations

import math
import sys
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import keras
from tqdm import tqdm

from trainer.errors import InterruptedEarlyError, TrainingError
from trainer.fitting.checkpoint import capture, read_state, restore, write_state
from trainer.progress import log, on_terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from trainer.data.batches import Batches
    from trainer.networks.models import Model

PLAIN_LINES = 25  # about this number of epochs is printed if stderr is not a terminal


class Epoch(NamedTuple):
    """One row of the history.

    Attributes:
        phase: "all", "head" or "fine-tune".
        epoch: counted from 1 within its phase.
        loss: mean training loss, with augmentation and dropout on.
        accuracy: training accuracy, measured in the same way, 0..1.
        val_loss: validation loss.
        val_accuracy: validation accuracy, 0..1.
        seconds: wall time.

    """

    phase: str
    epoch: int
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    seconds: float


class Plan(NamedTuple):
    """The length of a fit.

    Attributes:
        epochs: maximum number of epochs.
        patience: epochs without a lower validation loss before the fit stops.
        images: rows per epoch.
        batch_size: rows per step.

    """

    epochs: int
    patience: int
    images: int
    batch_size: int

    @property
    def steps(self) -> int:
        """Return the number of batches per epoch; the last may be smaller."""
        return math.ceil(self.images / self.batch_size)


class Phase(NamedTuple):
    """The result of a fit.

    Attributes:
        epochs: the completed epochs.
        best: position in `epochs` of the epoch whose weights the model has.
        interrupted: whether the user stopped it.

    """

    epochs: list[Epoch]
    best: int
    interrupted: bool


class Recorder(keras.callbacks.Callback):  # type: ignore[misc] # Keras ships no types
    """Keep every epoch's metrics and the best weights, save the state of the fit, and show progress on stderr.

    Attributes:
        epochs: the completed epochs.
        best_weights: weights of the epoch with the lowest validation loss; empty before the first.

    """

    def __init__(self, phase: str, plan: Plan, path: Path) -> None:
        super().__init__()
        self.epochs: list[Epoch] = []
        self.best_weights: list[Any] = []
        self._phase, self._plan, self._path = phase, plan, path
        self._started = 0.0
        self._bar: Any = None

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002, D102 - Keras' form
        self._started = time.perf_counter()
        if on_terminal():
            title = f"{self._phase} {epoch + 1}/{self._plan.epochs}"
            self._bar = tqdm(total=self._plan.images, desc=title, unit=" images", file=sys.stderr, leave=False)

    def on_train_batch_end(self, batch: int, logs: dict[str, float]) -> None:  # noqa: ARG002, D102 - Keras' form
        if self._bar is not None:
            self._bar.set_postfix(loss=f"{logs['loss']:.3f}", accuracy=f"{logs['accuracy']:.1%}", refresh=False)
            self._bar.update(min(self._plan.batch_size, self._plan.images - self._bar.n))

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:  # noqa: D102 - Keras' form
        numbers = {key: float(logs[key]) for key in ("loss", "accuracy", "val_loss", "val_accuracy")}
        row = Epoch(self._phase, epoch + 1, **numbers, seconds=time.perf_counter() - self._started)
        self.epochs.append(row)
        if best_of(self.epochs) == epoch:
            self.best_weights = self.model.get_weights()
        self.close()
        self._tell(row)
        write_state(self._path, capture(self.model, [row._asdict() for row in self.epochs], self.best_weights))
        self.model.stop_training = finished(self.epochs, self._plan)

    def _tell(self, row: Epoch) -> None:
        total = self._plan.epochs
        if on_terminal() or (row.epoch - 1) % math.ceil(total / PLAIN_LINES) == 0 or row.epoch == total:
            left = (total - row.epoch) * row.seconds
            log(
                f"{row.phase} {row.epoch}/{total}  loss {row.loss:.3f}  accuracy {row.accuracy:.1%}  "
                f"validation loss {row.val_loss:.3f}  accuracy {row.val_accuracy:.1%}  "
                f"{self._plan.images / row.seconds:.0f} images/s  {left:.0f} s left at most"
            )

    def close(self) -> None:
        """Remove the progress bar from the terminal."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def best_of(epochs: list[Epoch]) -> int:
    """Return the position of the lowest validation loss, the first of equal ones; a loss of NaN is never chosen."""
    losses = [row.val_loss if math.isfinite(row.val_loss) else math.inf for row in epochs]
    return losses.index(min(losses))


def finished(epochs: list[Epoch], plan: Plan) -> bool:
    """Return whether all epochs are completed, the patience is exhausted, or the loss is not a number."""
    if not epochs:
        return False
    waited = len(epochs) - 1 - best_of(epochs)
    return len(epochs) >= plan.epochs or waited >= plan.patience or not math.isfinite(epochs[-1].loss)


def fit(
    model: Model,
    train: Callable[[int], Batches],
    validation: Batches,
    *,
    phase: str,
    plan: Plan,
    state: Path,
    class_weight: dict[int, float] | None = None,
    callbacks: Sequence[Any] = (),
    strategy: Any = None,  # noqa: ANN401 - TensorFlow ships no types
) -> Phase:
    """Fit a compiled model, and leave it with the weights of its best epoch.

    If the state file contains earlier epochs of this fit, the fit continues after them, with the same result.

    Args:
        model: compiled with the metric "accuracy".
        train: returns batches without end, from the given epoch on.
        validation: batches, each row once.
        phase: its name in the history.
        plan: the length of the fit.
        state: a file that always contains the state after the last completed epoch.
        class_weight: of each class index, in the training loss.
        callbacks: additional callbacks for Keras.
        strategy: a tf.distribute.Strategy whose scope is open and in which the model was built; None for one device.

    Raises:
        InterruptedEarlyError: it was interrupted before its first epoch ended.
        TrainingError: the loss is not a number, or the state file cannot be read or written.

    """
    recorder = Recorder(phase, plan, state)
    _go_on(model, recorder, state)
    interrupted = False
    try:
        first = len(recorder.epochs)
        if strategy and not finished(recorder.epochs, plan):
            from trainer.fitting.replicas import fit_replicas

            fit_replicas(
                model,
                strategy,
                train(first),
                validation,
                epochs=range(first, plan.epochs),
                steps=plan.steps,
                class_weight=class_weight,
                callbacks=[recorder, *callbacks],
            )
        elif not finished(recorder.epochs, plan):
            model.fit(
                train(first),
                validation_data=validation,
                initial_epoch=first,
                epochs=plan.epochs,
                steps_per_epoch=plan.steps,
                callbacks=[recorder, *callbacks],
                class_weight=class_weight,
                shuffle=False,  # the batches are already shuffled
                verbose=0,  # Keras prints its own progress to stdout
            )
    except KeyboardInterrupt:
        interrupted = True
    recorder.close()
    return _settled(model, recorder, phase, interrupted=interrupted)


def _go_on(model: Model, recorder: Recorder, path: Path) -> None:
    earlier = read_state(path)
    if earlier is not None:
        restore(model, earlier, path)
        recorder.epochs = [Epoch(**row) for row in earlier.rows]
        recorder.best_weights = earlier.best
        log(f"{recorder.epochs[-1].phase}: continuing after epoch {len(earlier.rows)}")


def _settled(model: Model, recorder: Recorder, phase: str, *, interrupted: bool) -> Phase:
    """Set the model's best weights and return the result."""
    epochs = recorder.epochs
    if not epochs:
        raise InterruptedEarlyError("interrupted before the first epoch ended; nothing was written")
    best = best_of(epochs)
    if not math.isfinite(epochs[best].val_loss):
        raise TrainingError(f"the validation loss of {phase} is not a number; lower --learning-rate")
    model.set_weights(recorder.best_weights)
    how = "interrupted: keeping" if interrupted else "kept"
    log(f"{phase}: {how} epoch {epochs[best].epoch} of {len(epochs)}, validation loss {epochs[best].val_loss:.3f}")
    return Phase(epochs, best, interrupted)
