"""A fit keeps the best weights and can be interrupted and resumed at any time."""

import errno

import keras
import numpy as np
import pytest

from trainer.errors import InterruptedEarlyError, TrainingError
from trainer.fitting.checkpoint import read_state, write_state
from trainer.fitting.fit import Recorder, fit
from trainer.fitting.task import FitTask, Plan
from trainer.images.batches import plain_batches, training_batches

RANDOM = np.random.default_rng(0)
FEATURES = RANDOM.normal(0, 1, (40, 4)).astype(np.float32)
TARGETS = (FEATURES[:, 0] > 0).astype(np.int64)
ROWS = np.arange(40)


def fitted(tmp_path, *, rate=0.05, epochs=6, patience=6, features=FEATURES, name="all.npz"):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dropout(0.1), keras.layers.Dense(1, activation="sigmoid")]
    )
    model.compile(optimizer=keras.optimizers.SGD(rate, momentum=0.5), loss="binary_crossentropy", metrics=["accuracy"])
    task = FitTask(
        phase="all",
        train=lambda first: training_batches(
            features, ROWS[:30], TARGETS[:30, None], batch_size=10, seed=0, first_epoch=first
        ),
        validation=plain_batches(features, ROWS[30:], TARGETS[30:, None], batch_size=10),
        plan=Plan(epochs, patience, 30, 10),
        state=tmp_path / name,
    )
    return model, fit(model, task)


def interrupt_after(monkeypatch, epochs):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == epochs:
            raise KeyboardInterrupt

    monkeypatch.setattr(Recorder, "on_epoch_begin", on_epoch_begin)


def validation_loss(model):
    return model.evaluate(FEATURES[30:], TARGETS[30:, None], verbose=0)[0]


def test_the_loss_falls_and_every_epoch_is_recorded(tmp_path):
    _, phase = fitted(tmp_path)
    assert [row.epoch for row in phase.epochs] == [1, 2, 3, 4, 5, 6]
    assert phase.epochs[-1].val_loss < phase.epochs[0].val_loss
    assert not phase.interrupted


def test_the_model_and_the_state_file_contain_the_weights_of_the_best_epoch(tmp_path):
    model, phase = fitted(tmp_path, rate=60.0)  # a step so large that the loss oscillates
    losses = [row.val_loss for row in phase.epochs]
    assert phase.best == int(np.argmin(losses))
    assert phase.best != len(losses) - 1
    assert validation_loss(model) == pytest.approx(min(losses), rel=1e-5)
    model.set_weights(read_state(tmp_path / "all.npz").best)
    assert validation_loss(model) == pytest.approx(min(losses), rel=1e-5)


def test_the_fit_stops_when_the_patience_is_exhausted(tmp_path):
    _, phase = fitted(tmp_path, rate=60.0, epochs=50, patience=2)
    assert len(phase.epochs) == phase.best + 1 + 2


def test_an_interruption_keeps_the_weights_of_the_best_epoch_so_far(tmp_path, monkeypatch, capsys):
    interrupt_after(monkeypatch, 3)
    model, phase = fitted(tmp_path)
    assert phase.interrupted
    assert len(phase.epochs) == 3
    assert validation_loss(model) == pytest.approx(phase.epochs[phase.best].val_loss, rel=1e-5)
    assert "interrupted: keeping epoch 3 of 3" in capsys.readouterr().err


def test_an_interruption_in_the_first_epoch_is_an_error(tmp_path, monkeypatch):
    interrupt_after(monkeypatch, 0)
    with pytest.raises(InterruptedEarlyError, match="before the first epoch was completed; nothing was written"):
        fitted(tmp_path)


def test_a_resumed_fit_gives_the_same_result_as_an_uninterrupted_one(tmp_path, monkeypatch):
    uninterrupted, expected = fitted(tmp_path, name="uninterrupted.npz")
    with monkeypatch.context() as patch:
        interrupt_after(patch, 2)
        fitted(tmp_path)
    model, phase = fitted(tmp_path)
    assert [row._replace(seconds=0) for row in phase.epochs] == [row._replace(seconds=0) for row in expected.epochs]
    for one, other in zip(uninterrupted.variables, model.variables, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_finished_fit_is_not_run_again(tmp_path, monkeypatch):
    first, _ = fitted(tmp_path)
    interrupt_after(monkeypatch, 6)
    again, phase = fitted(tmp_path)
    assert not phase.interrupted
    np.testing.assert_array_equal(first.get_weights()[0], again.get_weights()[0])


def test_a_full_disk_is_reported_and_the_older_state_file_is_unchanged(tmp_path, monkeypatch):
    fitted(tmp_path, epochs=1)
    kept = (tmp_path / "all.npz").read_bytes()

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(TrainingError, match=r"cannot be saved: No space left on device; make room.*--resume"):
        fitted(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"all.npz"}
    assert (tmp_path / "all.npz").read_bytes() == kept


def test_a_damaged_state_file_or_one_of_another_network_is_named(tmp_path):
    fitted(tmp_path, epochs=1)
    state = read_state(tmp_path / "all.npz")
    write_state(tmp_path / "all.npz", state._replace(variables=state.variables[:1]))
    with pytest.raises(TrainingError, match=r"all\.npz: was written for another network"):
        fitted(tmp_path)
    (tmp_path / "all.npz").write_bytes(b"damaged")
    with pytest.raises(TrainingError, match=r"all\.npz: damaged"):
        fitted(tmp_path)


def test_a_diverged_loss_is_an_error(tmp_path):
    with pytest.raises(TrainingError, match="not a number; lower --learning-rate"):
        fitted(tmp_path, features=np.full_like(FEATURES, np.nan), epochs=1)


def test_without_a_terminal_progress_is_plain_lines_on_stderr(tmp_path, capsys):
    fitted(tmp_path, epochs=2)
    out, err = capsys.readouterr()
    assert out == ""
    assert "all 1/2  loss " in err
    assert "\r" not in err
