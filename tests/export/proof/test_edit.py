"""An edited file may differ from the original as far as the last bits of the input make the original differ."""

from pathlib import Path

import numpy as np
import pytest

from export.errors import ExportError
from export.proof.edit import check_edit, nudged
from export.sources.exported.ends import ModelEnds
from export.sources.reading import RANGES

EXPECTED = np.float32([[0.7, 0.3]])
PATH = Path("model.tflite")


@pytest.mark.parametrize(
    ("precision", "difference", "sensitivity", "is_right"),
    [
        ("float32", 5e-5, 0.0, True),
        ("float32", 2e-4, 1e-6, False),
        ("dynamic", 0.03, 0.0, True),
        ("dynamic", 0.1, 0.0, False),
        ("dynamic", 0.1, 0.06, True),
        ("dynamic", 0.1, 0.04, False),
    ],
)
def test_a_difference_is_accepted_or_refused(precision, difference, sensitivity, is_right):
    ends = ModelEnds(8, 8, 2, precision=precision)
    found = EXPECTED + np.float32([[difference, -difference]])
    if is_right:
        check_edit(found, EXPECTED, sensitivity, ends, PATH)
        return
    with pytest.raises(ExportError, match=r"model\.tflite: with pixels as input it computes other probabilities"):
        check_edit(found, EXPECTED, sensitivity, ends, PATH)


@pytest.mark.parametrize("name", ["-1..1", "0..1"])
def test_a_nudge_changes_only_the_last_bits(name):
    pixels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    exact, other = RANGES[name].apply(pixels), nudged(RANGES[name]).apply(pixels)
    assert not np.array_equal(exact, other)
    assert other == pytest.approx(exact, rel=1e-6)
