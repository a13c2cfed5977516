"""Fitting: early stopping on the validation loss, the best weights kept, interruptible at any time."""

from __future__ import annotations

import math
import sys
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import keras
from tqdm import tqdm

from trainer.errors import InterruptedEarlyError, TrainingError
from trainer.fitting.checkpoint import capture, read_state, restore, write_state
from trainer.progress import on_terminal, say

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from trainer.data.batches import Batches
    from trainer.networks.models import Model

PLAIN_LINES = 25  # about so many epochs are told of where stderr is no terminal


class Epoch(NamedTuple):
    """One row of the history.

    Attributes:
        phase: "all", "head" or "fine-tune".
        epoch: counted from 1 within its phase.
        loss: mean training loss, with augmentation and dropout on.
        accuracy: training accuracy, measured likewise, 0..1.
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
    """How long a fit may last.

    Attributes:
        epochs: at most so many.
        patience: stop when the validation loss has not fallen for so many epochs.
        images: rows an epoch.
        batch_size: rows a step.

    """

    epochs: int
    patience: int
    images: int
    batch_size: int

    @property
    def steps(self) -> int:
        """Batches an epoch; the last may be smaller."""
        return math.ceil(self.images / self.batch_size)


class Phase(NamedTuple):
    """How one fit went.

    Attributes:
        epochs: the completed ones.
        best: position in `epochs` of the one whose weights the model now has.
        interrupted: whether the user stopped it.

    """

    epochs: list[Epoch]
    best: int
    interrupted: bool


class Recorder(keras.callbacks.Callback):  # type: ignore[misc] # Keras ships no types
    """Keep every epoch's numbers and the best weights, save where the fit stands, and show progress on stderr.

    Attributes:
        epochs: the completed epochs.
        best_weights: of the epoch with the lowest validation loss; empty before the first.

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
            say(
                f"{row.phase} {row.epoch}/{total}  loss {row.loss:.3f}  accuracy {row.accuracy:.1%}  "
                f"validation loss {row.val_loss:.3f}  accuracy {row.val_accuracy:.1%}  "
                f"{self._plan.images / row.seconds:.0f} images/s  {left:.0f} s left at most"
            )

    def close(self) -> None:
        """Take the bar off the terminal."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def best_of(epochs: list[Epoch]) -> int:
    """Give the position of the lowest validation loss, the first of equals; a loss that is no number never wins."""
    losses = [row.val_loss if math.isfinite(row.val_loss) else math.inf for row in epochs]
    return losses.index(min(losses))


def finished(epochs: list[Epoch], plan: Plan) -> bool:
    """Tell whether all epochs are done, patience is spent, or the loss is no number."""
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

    Where the state file tells of earlier epochs of this fit, it goes on after them, to the same result.

    Args:
        model: compiled with the metric "accuracy".
        train: gives batches without end, from the epoch that is passed.
        validation: batches, each row once.
        phase: its name in the history.
        plan: how long.
        state: a file that always holds where the last whole epoch left off.
        class_weight: of each class index, in the training loss.
        callbacks: further ones for Keras.
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
                shuffle=False,  # the batches come shuffled
                verbose=0,  # Keras' own progress goes to stdout
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
        say(f"{recorder.epochs[-1].phase}: going on after epoch {len(earlier.rows)}")


def _settled(model: Model, recorder: Recorder, phase: str, *, interrupted: bool) -> Phase:
    """Give the model its best weights."""
    epochs = recorder.epochs
    if not epochs:
        raise InterruptedEarlyError("interrupted before the first epoch ended; nothing was written")
    best = best_of(epochs)
    if not math.isfinite(epochs[best].val_loss):
        raise TrainingError(f"the validation loss of {phase} is not a number; lower --learning-rate")
    model.set_weights(recorder.best_weights)
    how = "interrupted: keeping" if interrupted else "kept"
    say(f"{phase}: {how} epoch {epochs[best].epoch} of {len(epochs)}, validation loss {epochs[best].val_loss:.3f}")
    return Phase(epochs, best, interrupted)
