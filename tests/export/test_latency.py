"""edge-export latency predicts the time of a file on a device."""

from __future__ import annotations

import json

import pytest

from edge_runtime.bench.operators import operator_report
from edge_runtime.latency.features import amounts
from edge_runtime.latency.probes import probes
from export.cli import main

STATE = {"processor": "a device, 2 cores", "load": 0.1, "temperature_c": None, "throttling": None}
NS = 1e-6  # ms


@pytest.fixture(scope="module")
def device(tmp_path_factory):
    """The times of a device on which each amount of work takes a nanosecond."""
    ms = [sum(amounts(chain).values()) * NS for chain in probes()]
    path = tmp_path_factory.mktemp("device") / "pi.json"
    path.write_text(json.dumps(operator_report("litert", STATE, STATE, {1: [ms], 2: [[value / 2 for value in ms]]})))
    return path


def test_the_time_is_printed_for_each_number_of_threads(models, device, capsys):
    path = models["int8.tflite"]
    assert main(["latency", str(path), "--device", str(device)]) == 0
    one, two = [line for line in capsys.readouterr().out.splitlines() if not line.startswith(" ")]
    assert one.startswith(f"{path}: ")
    assert " ms with 1 thread on a device, 2 cores (" in one
    assert " ms with 2 threads on a device, 2 cores (" in two


def test_json_has_the_time_of_each_operator(bundle, device, capsys):
    assert main(["latency", str(bundle), "--device", str(device), "--threads", "2", "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert (row["path"], row["threads"]) == (str(bundle / "model.int8.tflite"), 2)
    assert (row["processor"], row["backend"]) == ("a device, 2 cores", "litert")
    assert {"QUANTIZE", "CONV_2D", "MEAN", "FULLY_CONNECTED", "SOFTMAX"} <= set(row["operators_ms"])
    assert row["predicted_ms"] == pytest.approx(sum(row["operators_ms"].values()), abs=0.001)
    assert row["estimated_ms"] == {}
    assert row["fit_error"] < 0.001


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("float32.tflite", "computes in FLOAT32"),
        ("float32.onnx", "is no TFLite file"),
        ("missing.tflite", "cannot be read: No such file"),
    ],
)
def test_a_file_that_cannot_be_predicted_is_one_line(models, device, capsys, tmp_path, model, message):
    path = models.get(model, tmp_path / model)
    assert main(["latency", str(path), "--device", str(device)]) == 1
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 1
    assert str(path) in errors[0]
    assert message in errors[0]


def test_a_device_file_of_another_kind_is_one_line_that_says_how_to_write_it(models, capsys, tmp_path):
    path = tmp_path / "rows.json"
    path.write_text('{"version": 1, "rows": []}')
    assert main(["latency", str(models["int8.tflite"]), "--device", str(path)]) == 1
    errors = capsys.readouterr().err.splitlines()
    expected = "contains no times of operators; write it with: edge-run bench --operators FILE"
    assert errors == [f"edge-export: {path}: {expected}"]
