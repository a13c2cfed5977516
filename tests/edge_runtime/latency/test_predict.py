from __future__ import annotations

import sys

import pytest

from edge_runtime.errors import BackendUnavailable, InferenceError
from edge_runtime.latency.model_file import model_file
from edge_runtime.latency.operator import Operator
from edge_runtime.latency.predict import fit, predict, predict_ms

pytest.importorskip("scipy")  # a device has none

BLOCK = (
    Operator("CONV_2D", (12, 12, 24), (12, 12, 144)),
    Operator("DEPTHWISE_CONV_2D", (12, 12, 144), (12, 12, 144), (3, 3)),
    Operator("CONV_2D", (12, 12, 144), (12, 12, 24)),
    Operator("ADD", (12, 12, 24), (12, 12, 24), operand=12 * 12 * 24),
)


def test_the_time_of_a_network_that_was_not_measured_is_the_sum_of_its_operators(device, exact):
    predicted = predict(BLOCK, fit(device, 1))
    assert predicted.ms == pytest.approx(exact(BLOCK), rel=0.01)
    assert predicted.operators["DEPTHWISE_CONV_2D"] == pytest.approx(exact(BLOCK[1:2]), rel=0.01)
    assert list(predicted.operators) == ["CONV_2D", "DEPTHWISE_CONV_2D", "ADD"]
    assert predicted.estimated == {}


def test_each_number_of_threads_has_its_own_times(device, exact):
    assert predict(BLOCK, fit(device, 2)).ms == pytest.approx(exact(BLOCK) / 2, rel=0.01)
    with pytest.raises(InferenceError, match="4 threads were not measured on a device, 2 cores, only 1, 2"):
        fit(device, 4)


def test_the_error_of_the_fit_is_that_of_the_measurements(device):
    wrong = [ms * (1.2 if place % 2 else 1) for place, ms in enumerate(device.ms[1])]
    assert fit(device, 1).error < 0.001
    assert 0.03 < fit(device._replace(ms={1: tuple(wrong)}), 1).error < 0.15


def test_a_file_is_predicted_from_its_operators(device, exact):
    pytest.importorskip("ai_edge_litert.schema_py_generated")
    assert predict_ms(model_file(BLOCK), device) == pytest.approx(exact(BLOCK), rel=0.01)


def test_a_small_operator_that_was_not_measured_is_estimated_and_named(device):
    square = Operator("SQUARE", (1, 1, 64), (1, 1, 64), kind="FLOAT32")
    predicted = predict([*BLOCK, square], fit(device, 1))
    assert list(predicted.estimated) == ["SQUARE FLOAT32"]
    assert predicted.ms == pytest.approx(predict(BLOCK, fit(device, 1)).ms + predicted.estimated["SQUARE FLOAT32"])


@pytest.mark.parametrize(
    "operator",
    [
        BLOCK[0]._replace(kind="FLOAT32"),
        BLOCK[1]._replace(kind="INT16"),
        Operator("TRANSPOSE_CONV", (4, 4, 8), (8, 8, 8)),
    ],
)
def test_a_network_with_convolutions_of_another_kind_is_refused(device, operator):
    with pytest.raises(InferenceError, match=r"a\.tflite: its \w+ .* only int8 files can be predicted"):
        predict([operator], fit(device, 1), "a.tflite")


@pytest.mark.parametrize("module", ["ai_edge_litert", "scipy.optimize"])
def test_a_missing_library_is_one_line_with_the_extra(device, monkeypatch, module):
    pytest.importorskip("ai_edge_litert.schema_py_generated")
    content = model_file(BLOCK)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(BackendUnavailable, match=r"pip install 'edgewise\[export\]'"):
        predict_ms(content, device)


@pytest.mark.parametrize("content", [b"", b"no model", model_file(BLOCK)[:40], b"\xff\xff\xff\x7fTFL3" + bytes(40)])
def test_a_damaged_file_is_one_line(device, content):
    pytest.importorskip("ai_edge_litert.schema_py_generated")
    with pytest.raises(InferenceError, match=r"^a\.tflite: is "):
        predict_ms(content, device, 1, "a.tflite")
