"""No work is lost: a run that was stopped goes on from its last whole epoch."""

import csv
import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from trainer import pipeline as training
from trainer.cli import main
from trainer.errors import DataError, TrainingError
from trainer.fitting.fit import Recorder
from trainer.options import Options
from trainer.pipeline import resume, train

OPTIONS = Options(
    model="cnn_bn",
    image_size=32,
    epochs=4,
    patience=9,
    learning_rate=1e-2,
    batch_size=8,
    mixup=0.2,
    weight_decay=0.01,
    label_smoothing=0.1,
    seed=3,
)
KILLED = """
import os, signal, sys
from pathlib import Path
from trainer.tensorflow_setup import require_tensorflow
require_tensorflow()
from trainer.fitting.fit import Recorder
from trainer.options import Options
from trainer.pipeline import train

def die(self, batch, logs):
    if len(self.epochs) == 2 and batch == 1:
        os.kill(os.getpid(), signal.SIGKILL)

Recorder.on_train_batch_end = die
train(Path(sys.argv[1]), Path(sys.argv[2]), Options(**eval(sys.argv[3])))
"""


def stop_in_epoch(monkeypatch, number, what):
    def on_train_batch_end(self, batch, logs):
        if len(self.epochs) == number - 1 and batch == 1:
            what()

    monkeypatch.setattr(Recorder, "on_train_batch_end", on_train_batch_end)


def interrupt():
    raise KeyboardInterrupt


def result(run):
    """Give what must be equal: the model's weights, the history without its times, the test's result."""
    weights = keras.models.load_model(run / "model.keras", compile=False).get_weights()
    rows = [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader((run / "history.csv").open())]
    metrics = json.loads((run / "metrics.json").read_text())
    return weights, rows, metrics["test"], metrics["calibration"]


def assert_same(run, other):
    (weights, *rest), (weights_again, *rest_again) = result(run), result(other)
    for one, again in zip(weights, weights_again, strict=True):
        np.testing.assert_array_equal(one, again)
    assert rest == rest_again


@pytest.fixture(scope="module")
def source(tmp_path_factory, draw_set):
    return draw_set(tmp_path_factory.mktemp("resume") / "data", labels=("cat", "dog", "owl"), count=14)


@pytest.fixture(scope="module")
def unbroken(source, tmp_path_factory):
    run = tmp_path_factory.mktemp("unbroken") / "run"
    train(source, run, OPTIONS)
    return run


def test_a_run_killed_in_mid_epoch_ends_bit_equal_to_an_unbroken_one(source, unbroken, tmp_path):
    command = [sys.executable, "-c", KILLED, source, tmp_path / "run", repr(vars(OPTIONS))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"training"}
    resume(tmp_path / "run")
    assert_same(tmp_path / "run", unbroken)
    assert {path.name for path in tmp_path.iterdir()} == {"run"}
    assert not (tmp_path / "run" / "training").exists()


def test_ctrl_c_keeps_the_best_so_far_and_can_still_go_on(source, unbroken, tmp_path, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        stop_in_epoch(patch, 3, interrupt)
        train(source, tmp_path / "run", OPTIONS)
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["interrupted"]
    assert f"to continue training: edge-train train --resume {tmp_path / 'run'}" in capsys.readouterr().err
    resume(tmp_path / "run")
    assert_same(tmp_path / "run", unbroken)
    with pytest.raises(TrainingError, match="is finished, there is nothing to resume"):
        resume(tmp_path / "run")


def test_sigterm_is_one_line_that_says_how_to_go_on(source, tmp_path, monkeypatch, capsys):
    stop_in_epoch(monkeypatch, 2, lambda: signal.raise_signal(signal.SIGTERM))
    before = signal.getsignal(signal.SIGTERM)
    arguments = ["--model", "cnn_bn", "--image-size", "32", "--batch-size", "8", "--no-cache"]
    assert main(["train", str(source), "--out", str(tmp_path / "run"), *arguments]) == 1
    assert "after the last completed epoch with: edge-train train --resume" in capsys.readouterr().err.splitlines()[-1]
    assert signal.getsignal(signal.SIGTERM) is before
    with pytest.raises(TrainingError, match="contains an unfinished run; continue it with --resume"):
        train(source, tmp_path / "run", OPTIONS)
    assert main(["evaluate", str(tmp_path / "run")]) == 1
    assert "is unfinished; continue it with: edge-train train --resume" in capsys.readouterr().err


@pytest.fixture
def unfinished(source, tmp_path, monkeypatch):
    """Give an unfinished run, without training one."""

    def stop(ready):
        (ready.out / "training" / "all.npz").touch()

    with monkeypatch.context() as patch:
        patch.setattr(training, "_complete", stop)
        train(source, tmp_path / "run", OPTIONS)
    return tmp_path / "run"


def job(run, **changed):
    path = run / "training" / "job.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))


def test_a_run_of_another_version_is_named(unfinished):
    job(unfinished, version=7)
    with pytest.raises(
        TrainingError, match=r"job\.json: version 7 is not 1, which this version of edgewise can resume"
    ):
        resume(unfinished)
    job(unfinished, version=1, options={"model": "cnn"})
    with pytest.raises(TrainingError, match=r"job\.json: key 'image_size' is missing"):
        resume(unfinished)


def test_data_that_changed_since_is_named(unfinished):
    job(unfinished, fingerprint="0" * 64)
    with pytest.raises(DataError, match=r"has changed since .* train again with --overwrite"):
        resume(unfinished)


def test_a_changed_library_version_is_reported(unfinished, monkeypatch, capsys):
    data = json.loads((unfinished / "training" / "job.json").read_text())
    job(unfinished, versions=data["versions"] | {"numpy": "0.1"})
    monkeypatch.setattr(training, "_complete", lambda ready: None)
    resume(unfinished)
    assert "numpy 0.1 -> " in capsys.readouterr().err


def test_nothing_to_resume(tmp_path):
    with pytest.raises(TrainingError, match="contains no unfinished run"):
        resume(tmp_path)


def test_too_little_room_is_reported_before_the_data_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr("trainer.runs.output.ROOM_BYTES", 1 << 60)
    with pytest.raises(TrainingError, match="make room or choose another place"):
        train(tmp_path / "none", tmp_path / "deep" / "run", OPTIONS)


@pytest.mark.parametrize("words", [["data", "--resume", "run"], ["--out", "run"], ["data"]])
def test_resume_and_a_new_run_exclude_each_other(capsys, words):
    assert main(["train", *words]) == 2
    assert "--resume" in capsys.readouterr().err


def test_options_are_kept_as_they_were(unfinished):
    from trainer.runs.journal import read_journal

    assert read_journal(unfinished).options == replace(OPTIONS)
    assert Path(read_journal(unfinished).data).is_absolute()
