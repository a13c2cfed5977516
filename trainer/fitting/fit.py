"""Fit a model with early stopping, keep the best weights, and allow an interruption at any time."""

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
    from pathlib import Path

    from trainer.fitting.task import FitTask, Plan
    from trainer.networks.models import Model

PLAIN_LINES = 25  # if stderr is not a terminal, about this number of epochs is printed


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


class Phase(NamedTuple):
    """The result of a fit.

    Attributes:
        epochs: the completed epochs.
        best: index in `epochs` of the epoch whose weights the model has.
        interrupted: whether the user stopped it.

    """

    epochs: list[Epoch]
    best: int
    interrupted: bool

    @property
    def best_epoch(self) -> Epoch:
        """Return the epoch whose weights the model has."""
        return self.epochs[self.best]


class Recorder(keras.callbacks.Callback):  # type: ignore[misc] # Keras ships no types
    """Record every epoch's metrics and the best weights, save the state of the fit, and show progress on stderr.

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

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002 - Keras' signature
        """Start the clock and the progress bar of an epoch, counted from 0."""
        self._started = time.perf_counter()
        if on_terminal():
            title = f"{self._phase} {epoch + 1}/{self._plan.epochs}"
            self._bar = tqdm(total=self._plan.images, desc=title, unit=" images", file=sys.stderr, leave=False)

    def on_train_batch_end(self, batch: int, logs: dict[str, float]) -> None:  # noqa: ARG002 - Keras' signature
        """Advance the progress bar by one batch."""
        if self._bar is not None:
            self._bar.set_postfix(loss=f"{logs['loss']:.3f}", accuracy=f"{logs['accuracy']:.1%}", refresh=False)
            self._bar.update(min(self._plan.batch_size, self._plan.images - self._bar.n))

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """Record the metrics of a completed epoch, save the state, and stop the fit if it is finished."""
        metrics = {key: float(logs[key]) for key in ("loss", "accuracy", "val_loss", "val_accuracy")}
        row = Epoch(self._phase, epoch + 1, **metrics, seconds=time.perf_counter() - self._started)
        self.epochs.append(row)
        if best_of(self.epochs) == epoch:
            self.best_weights = self.model.get_weights()
        self.close()
        self._log_epoch(row)
        write_state(self._path, capture(self.model, [row._asdict() for row in self.epochs], self.best_weights))
        self.model.stop_training = finished(self.epochs, self._plan)

    def _log_epoch(self, row: Epoch) -> None:
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
    """Return the index of the lowest validation loss, the first of equal ones; NaN counts as infinite."""
    losses = [row.val_loss if math.isfinite(row.val_loss) else math.inf for row in epochs]
    return losses.index(min(losses))


def finished(epochs: list[Epoch], plan: Plan) -> bool:
    """Return whether all epochs are completed, the patience is exhausted, or the loss is not a number."""
    if not epochs:
        return False
    since_best = len(epochs) - 1 - best_of(epochs)
    return len(epochs) >= plan.epochs or since_best >= plan.patience or not math.isfinite(epochs[-1].loss)


def fit(model: Model, task: FitTask) -> Phase:
    """Fit a compiled model, and set the weights of its best epoch.

    If the state file contains earlier epochs of this fit, the fit continues after them, with the same result.

    Args:
        model: compiled with the metric "accuracy".
        task: the data, the length and the devices.

    Returns:
        The completed epochs. An interruption by the user (KeyboardInterrupt) ends the fit after its last one.

    Raises:
        InterruptedEarlyError: it was interrupted before its first epoch was completed.
        TrainingError: the loss is not a number, or the state file cannot be read or written.

    """
    recorder = Recorder(task.phase, task.plan, task.state)
    _load_state(model, recorder, task.state)
    interrupted = False
    try:
        if not finished(recorder.epochs, task.plan):
            _run_epochs(model, task, recorder)
    except KeyboardInterrupt:
        interrupted = True
    recorder.close()
    return _restore_best(model, recorder, task.phase, interrupted=interrupted)


def _run_epochs(model: Model, task: FitTask, recorder: Recorder) -> None:
    """Run the epochs that the recorder has not yet recorded."""
    first = len(recorder.epochs)
    callbacks = [recorder, *task.callbacks]
    if task.strategy:
        from trainer.fitting.replicas import fit_replicas

        fit_replicas(model, task, first_epoch=first, callbacks=callbacks)
        return
    model.fit(
        task.train(first),
        validation_data=task.validation,
        initial_epoch=first,
        epochs=task.plan.epochs,
        steps_per_epoch=task.plan.steps,
        callbacks=callbacks,
        class_weight=task.class_weight,
        shuffle=False,  # the batches are already shuffled
        verbose=0,  # Keras prints its own progress to stdout
    )


def _load_state(model: Model, recorder: Recorder, path: Path) -> None:
    """Continue from a state file, if there is one."""
    earlier = read_state(path)
    if earlier is None:
        return
    restore(model, earlier, path)
    recorder.epochs = [Epoch(**row) for row in earlier.rows]
    recorder.best_weights = earlier.best
    log(f"{recorder.epochs[-1].phase}: continuing after epoch {len(earlier.rows)}")


def _restore_best(model: Model, recorder: Recorder, phase: str, *, interrupted: bool) -> Phase:
    """Set the weights of the best epoch and return the result."""
    epochs = recorder.epochs
    if not epochs:
        raise InterruptedEarlyError("interrupted before the first epoch was completed; nothing was written")
    best = best_of(epochs)
    if not math.isfinite(epochs[best].val_loss):
        raise TrainingError(f"the validation loss of phase {phase!r} is not a number; lower --learning-rate")
    model.set_weights(recorder.best_weights)
    action = "interrupted: keeping" if interrupted else "kept"
    log(f"{phase}: {action} epoch {epochs[best].epoch} of {len(epochs)}, validation loss {epochs[best].val_loss:.3f}")
    return Phase(epochs, best, interrupted)
