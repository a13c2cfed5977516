from __future__ import annotations

import pytest

from edge_runtime.latency.features import amounts, group
from edge_runtime.latency.operator import Operator

POINTWISE = Operator("CONV_2D", (5, 5, 12), (5, 5, 20))
WINDOW = Operator("CONV_2D", (8, 8, 16), (4, 4, 32), (3, 3))
DEPTHWISE = Operator("DEPTHWISE_CONV_2D", (8, 8, 24), (4, 4, 24), (3, 3))


@pytest.mark.parametrize(
    ("operator", "name"),
    [
        (POINTWISE, "CONV_2D"),
        (WINDOW, "CONV_2D window"),
        (Operator("CONV_2D", (1, 1, 12), (1, 1, 20)), "CONV_2D vector"),
        (DEPTHWISE, "DEPTHWISE_CONV_2D"),
        (Operator("ADD", (8, 8, 4), (8, 8, 4), operand=1), "ADD number"),
        (Operator("MUL", (8, 8, 4), (8, 8, 4), operand=4), "MUL channels"),
        (Operator("ADD", (8, 8, 4), (8, 8, 4), operand=256), "ADD tensor"),
        (Operator("MEAN", (8, 8, 4), (1, 1, 4)), "MEAN"),
    ],
)
def test_operators_are_grouped_by_what_their_kernels_do(operator, name):
    assert group(operator) == name


def test_a_convolution_is_counted_in_blocks_of_its_kernels():
    found = {amount: value for (_, amount), value in amounts([POINTWISE]).items()}
    assert found["multiplications in 1x8x8"] == 25 * 24 * 16  # 20 channels fill 24, a depth of 12 fills 16
    assert found["multiplications in 4x16x1"] == 28 * 32 * 12
    assert (found["results"], found["weights"], found["elements"], found["rows"]) == (25 * 24, 24 * 12, 300, 0)


def test_the_window_counts_in_multiplications():
    assert amounts([WINDOW])["CONV_2D window", "multiplications in 1x8x8"] == 16 * 32 * 16 * 9
    assert amounts([DEPTHWISE])["DEPTHWISE_CONV_2D", "multiplications"] == 16 * 24 * 9


def test_amounts_of_several_operators_are_added():
    found = amounts([DEPTHWISE, DEPTHWISE, POINTWISE])
    assert found["DEPTHWISE_CONV_2D", "one"] == 2
    assert found["CONV_2D", "one"] == 1
