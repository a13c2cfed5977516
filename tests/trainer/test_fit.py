"""Fitting keeps the best and may be stopped at any time."""

import keras
import numpy as np
import pytest

from trainer.batches import plain_batches, training_batches
from trainer.errors import InterruptedEarlyError, TrainingError
from trainer.fit import Recorder, fit

RANDOM = np.random.default_rng(0)
FEATURES = RANDOM.normal(0, 1, (40, 4)).astype(np.float32)
TARGETS = (FEATURES[:, 0] > 0).astype(np.int64)
ROWS = np.arange(40)


def fitted(tmp_path, *, rate=0.05, epochs=6, patience=6, features=FEATURES):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, activation="sigmoid")])
    model.compile(optimizer=keras.optimizers.SGD(rate), loss="binary_crossentropy", metrics=["accuracy"])
    phase = fit(
        model,
        training_batches(features, ROWS[:30], TARGETS[:30], batch_size=10, seed=0),
        plain_batches(features, ROWS[30:], TARGETS[30:], batch_size=10),
        phase="all",
        epochs=epochs,
        steps=3,
        patience=patience,
        checkpoint=tmp_path / "best.weights.h5",
    )
    return model, phase


def interrupt_after(monkeypatch, epochs):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == epochs:
            raise KeyboardInterrupt

    monkeypatch.setattr(Recorder, "on_epoch_begin", on_epoch_begin)


def validation_loss(model):
    return model.evaluate(FEATURES[30:], TARGETS[30:], verbose=0)[0]


def test_learning_lowers_the_loss_and_records_every_epoch(tmp_path):
    _, phase = fitted(tmp_path)
    assert [row.epoch for row in phase.epochs] == [1, 2, 3, 4, 5, 6]
    assert phase.epochs[-1].val_loss < phase.epochs[0].val_loss
    assert not phase.interrupted


def test_the_best_epochs_weights_are_kept_in_the_model_and_in_the_checkpoint(tmp_path):
    model, phase = fitted(tmp_path, rate=60.0)  # so large a step that the loss goes up and down
    losses = [row.val_loss for row in phase.epochs]
    assert phase.best == int(np.argmin(losses))
    assert phase.best != len(losses) - 1
    assert validation_loss(model) == pytest.approx(min(losses), rel=1e-5)
    model.set_weights([weight * 0 for weight in model.get_weights()])
    model.load_weights(tmp_path / "best.weights.h5")
    assert validation_loss(model) == pytest.approx(min(losses), rel=1e-5)


def test_it_stops_when_patience_is_spent(tmp_path):
    _, phase = fitted(tmp_path, rate=60.0, epochs=50, patience=2)
    assert len(phase.epochs) == phase.best + 1 + 2


def test_an_interruption_keeps_the_best_so_far(tmp_path, monkeypatch, capsys):
    interrupt_after(monkeypatch, 3)
    model, phase = fitted(tmp_path)
    assert phase.interrupted
    assert len(phase.epochs) == 3
    assert validation_loss(model) == pytest.approx(phase.epochs[phase.best].val_loss, rel=1e-5)
    assert "interrupted: keeping epoch 3 of 3" in capsys.readouterr().err


def test_an_interruption_before_the_first_epoch_ended_keeps_nothing(tmp_path, monkeypatch):
    interrupt_after(monkeypatch, 0)
    with pytest.raises(InterruptedEarlyError, match="before the first epoch ended; nothing was written"):
        fitted(tmp_path)


def test_a_diverged_loss_is_an_error(tmp_path):
    with pytest.raises(TrainingError, match="not a number; lower --learning-rate"):
        fitted(tmp_path, features=np.full_like(FEATURES, np.nan), epochs=1)


def test_progress_is_plain_lines_on_stderr_alone(tmp_path, capsys):
    fitted(tmp_path, epochs=2)
    out, err = capsys.readouterr()
    assert out == ""
    assert "all 1/2  loss " in err
    assert "\r" not in err
