"""Fitting: early stopping on the validation loss, the best weights kept, interruptible at any time."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import keras
from tqdm import tqdm

from trainer.errors import InterruptedEarlyError, TrainingError
from trainer.progress import on_terminal, say

if TYPE_CHECKING:
    from pathlib import Path

    from trainer.batches import Batches
    from trainer.models import Model

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
    """Keep every epoch's numbers and show progress on stderr.

    Attributes:
        epochs: the completed epochs.

    """

    def __init__(self, phase: str, epochs: int, steps: int) -> None:
        super().__init__()
        self.epochs: list[Epoch] = []
        self._phase, self._total, self._steps = phase, epochs, steps
        self._started = 0.0
        self._bar: Any = None

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002, D102 - Keras' form
        self._started = time.perf_counter()
        if on_terminal():
            self._bar = tqdm(total=self._steps, desc=f"{self._phase} {epoch + 1}/{self._total}", leave=False)

    def on_train_batch_end(self, batch: int, logs: dict[str, float]) -> None:  # noqa: ARG002, D102 - Keras' form
        if self._bar is not None:
            self._bar.set_postfix(loss=f"{logs['loss']:.3f}", accuracy=f"{logs['accuracy']:.3f}", refresh=False)
            self._bar.update()

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:  # noqa: D102 - Keras' form
        numbers = {key: float(logs[key]) for key in ("loss", "accuracy", "val_loss", "val_accuracy")}
        row = Epoch(self._phase, epoch + 1, **numbers, seconds=time.perf_counter() - self._started)
        self.epochs.append(row)
        self.close()
        if on_terminal() or epoch % math.ceil(self._total / PLAIN_LINES) == 0 or epoch + 1 == self._total:
            say(
                f"{row.phase} {row.epoch}/{self._total}  loss {row.loss:.3f}  accuracy {row.accuracy:.1%}  "
                f"validation loss {row.val_loss:.3f}  accuracy {row.val_accuracy:.1%}  {row.seconds:.1f} s"
            )

    def close(self) -> None:
        """Take the bar off the terminal."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def fit(
    model: Model,
    train: Batches,
    validation: Batches,
    *,
    phase: str,
    epochs: int,
    steps: int,
    patience: int,
    checkpoint: Path,
) -> Phase:
    """Fit a compiled model, and leave it with the weights of its best epoch.

    Args:
        model: compiled with the metric "accuracy".
        train: batches without end.
        validation: batches, each row once.
        phase: its name in the history.
        epochs: at most so many.
        steps: batches an epoch.
        patience: stop when the validation loss has not fallen for so many epochs.
        checkpoint: a .weights.h5 file that always holds the best weights so far.

    Raises:
        InterruptedEarlyError: it was interrupted before its first epoch ended.
        TrainingError: the loss is not a number.

    """
    recorder = Recorder(phase, epochs, steps)
    stopper = keras.callbacks.EarlyStopping("val_loss", patience=patience, restore_best_weights=True)
    keeper = keras.callbacks.ModelCheckpoint(checkpoint, "val_loss", save_best_only=True, save_weights_only=True)
    # A smaller step before giving up: twice within the patience.
    slower = keras.callbacks.ReduceLROnPlateau("val_loss", factor=0.3, patience=max(1, patience // 3))
    callbacks = [recorder, stopper, keeper, slower]
    interrupted = False
    try:
        model.fit(
            train,
            validation_data=validation,
            epochs=epochs,
            steps_per_epoch=steps,
            callbacks=callbacks,
            shuffle=False,  # the batches come shuffled
            verbose=0,  # Keras' own progress goes to stdout
        )
    except KeyboardInterrupt:
        interrupted = True
    recorder.close()
    return Phase(recorder.epochs, _settle(model, recorder.epochs, stopper, phase, interrupted=interrupted), interrupted)


def _settle(model: Model, epochs: list[Epoch], stopper: Any, phase: str, *, interrupted: bool) -> int:  # noqa: ANN401 - Keras ships no types
    """Give the model its best weights; give the best epoch's position."""
    if not epochs or stopper.best_weights is None:
        raise InterruptedEarlyError("interrupted before the first epoch ended; nothing was written")
    best = int(stopper.best_epoch)
    if not math.isfinite(epochs[best].val_loss):
        raise TrainingError(f"the validation loss of {phase} is not a number; lower --learning-rate")
    model.set_weights(stopper.best_weights)
    how = "interrupted: keeping" if interrupted else "kept"
    say(f"{phase}: {how} epoch {epochs[best].epoch} of {len(epochs)}, validation loss {epochs[best].val_loss:.3f}")
    return best
