"""int8 made to collapse, and what the ladder makes of it."""

import json
import shutil

import pytest

from edge_runtime.model.bundle import Bundle
from edge_runtime.selftest.replay import selftest
from export.cli import main
from export.proof.fallback import fallbacks
from export.quiet_tensorflow import keras
from export.settings import Settings
from export.sources.run import read_run

FACTOR = 1000


def lopsided(model):
    """Scale one channel up and undo it in the next layer: the same function, which int8's one scale cannot hold."""
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    first, second = [layer for layer in copy.layers if isinstance(layer, keras.layers.Conv2D)]
    kernel, bias = first.get_weights()
    kernel[..., 0] *= FACTOR
    bias[0] *= FACTOR
    first.set_weights([kernel, bias])
    kernel, bias = second.get_weights()
    kernel[:, :, 0] /= FACTOR
    second.set_weights([kernel, bias])
    return copy, first.name


@pytest.fixture(scope="module")
def lopsided_run(tmp_path_factory, tiny_run, trained_model):
    folder = tmp_path_factory.mktemp("lopsided") / "run"
    shutil.copytree(tiny_run.folder, folder)
    model, layer = lopsided(trained_model)
    model.save(folder / "model.keras")
    return folder, layer


def test_int8_that_collapses_gives_way_to_a_form_that_passes_and_the_report_names_the_layer(lopsided_run, tmp_path):
    run, layer = lopsided_run
    out = tmp_path / "bundle"
    command = ["export", str(run), "--out", str(out), "--jobs", "0", "--formats", "float32.tflite", "int8.tflite"]
    assert main(command) == 0
    report = json.loads((out / "report.json").read_text())
    first, *_, last = report["ladder"]
    assert first["form"] == "int8.tflite"
    assert first["failures"]
    assert last["failures"] == []
    assert last["form"] == "int8, equalized, corrected biases"
    assert layer in report["layers"][0]["layer"]
    assert report["layers"][0]["signal_lost"] > 0.5
    assert layer in (out / "report.html").read_text()
    bundle = Bundle.open(out)
    assert bundle.artifact(last["artifact"]).parity["top1_agreement"] >= 0.98
    assert selftest(out).difference is None
    assert {path.name for path in out.glob("model.*")} == {artifact.file.path for artifact in bundle.artifacts.values()}


def test_without_the_ladder_nothing_is_published(lopsided_run, tmp_path, error_line):
    run, _ = lopsided_run
    command = ["export", str(run), "--out", str(tmp_path / "b"), "--jobs", "0", "--formats", "int8.tflite"]
    assert "int8.tflite: " in error_line(main([*command, "--no-ladder"]))
    assert list(tmp_path.iterdir()) == []


def test_a_form_that_no_converter_writes_is_a_failed_attempt_and_the_next_is_tried(hard_swish_run, tmp_path):
    lines = []
    source = read_run(hard_swish_run)
    steps = fallbacks(source, tmp_path, Settings(), [], ["float16.tflite"], jobs=0, progress=lines.append)
    *improved, first, (form, candidate) = steps
    assert [step[0] if isinstance(step, tuple) else step.form for step in improved] == [
        "int8, corrected biases",
        "int8, narrow ranges, corrected biases",
        "int8, equalized, corrected biases",
    ]
    assert first.form == "int16x8.tflite"
    assert "HARD_SWISH" in first.failures[0]
    assert (form, candidate.name) == ("dynamic.tflite", "dynamic.tflite")
    assert candidate.path.exists()
    assert any("HARD_SWISH" in line for line in lines)
