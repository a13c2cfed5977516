from __future__ import annotations

import struct

import numpy as np
import pytest

from edge_runtime.backends.tflite import open_interpreter
from edge_runtime.latency.file_operators import file_operators
from edge_runtime.latency.flatbuffer import encode
from edge_runtime.latency.model_file import OPERATORS, model_file
from edge_runtime.latency.operator import Operator, operator_of
from edge_runtime.latency.probes import probes

SMALLEST = {tuple(operator.name for operator in chain): chain for chain in probes()}  # the last one of each kind


@pytest.mark.parametrize("chain", SMALLEST.values(), ids=["-".join(names) for names in SMALLEST])
def test_the_runtime_runs_each_kind_of_network_and_reads_its_shapes(chain):
    interpreter = open_interpreter(model_file(chain), "litert", 1)
    (given,), (result,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert given["shape"].tolist() == [1, *chain[0].source]
    assert result["shape"].prod() == np.prod(chain[-1].result)
    interpreter.invoke()


def test_the_networks_contain_every_operator_that_can_be_written():
    assert {operator.name for chain in probes() for operator in chain} == set(OPERATORS)


def test_what_is_written_is_read_back():
    pytest.importorskip("ai_edge_litert.schema_py_generated")
    for chain in SMALLEST.values():
        assert tuple(file_operators(model_file(chain), "model")) == chain


def test_a_written_convolution_computes_what_its_parameters_say():
    """Weights are -127, -126, … with a scale of 0.01, the bias is 0, and the result is limited to 0..6."""
    operator = Operator("CONV_2D", (1, 1, 2), (1, 1, 3))
    interpreter = open_interpreter(model_file([operator]), "litert", 1)
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], np.array([[[[-20, -30]]]], np.int8))
    interpreter.invoke()
    found = interpreter.get_tensor(interpreter.get_output_details()[0]["index"]).ravel().tolist()
    weights = np.arange(-127, -121).reshape(3, 2)
    assert found == np.round(weights @ [-20, -30] * 0.01).tolist()


def test_a_table_is_encoded_as_the_format_says():
    content = encode({0: 7, 2: "ab"}, b"TEST")
    root = struct.unpack_from("<I", content)[0]
    fields = root - struct.unpack_from("<i", content, root)[0]
    size, _, first, second, third = struct.unpack_from("<5H", content, fields)
    text = root + third + struct.unpack_from("<I", content, root + third)[0]
    assert (content[4:8], size, second) == (b"TEST", 10, 0)
    assert struct.unpack_from("<i", content, root + first) == (7,)
    assert content[text : text + 7] == b"\x02\0\0\0ab\0"


@pytest.mark.parametrize(
    "text",
    ["", "CONV_2D", "CONV_2D 8x8x16 8x8x16 3x3 0", "conv 8x8x16 8x8x16 3x3 0 INT8", "ADD 0x8x16 8x8x16 1x1 0 INT8"],
)
def test_a_text_that_is_no_operator_is_refused(text):
    with pytest.raises(ValueError, match=f"^{text!r} "):
        operator_of(text)


def test_an_operator_has_one_text():
    operator = Operator("MUL", (8, 8, 16), (8, 8, 16), operand=16)
    assert operator.text() == "MUL 8x8x16 8x8x16 1x1 16 INT8"
    assert operator_of(operator.text()) == operator
