"""The golden images of a wrapped file have the same results in every installed runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from export.bundle.wrapped import _reproducible
from export.errors import ExportError
from export.runtimes.process import DeviceRun


def runs(*probabilities):
    return [DeviceRun(np.array(rows, np.float32), 1.0, ()) for rows in probabilities]


def test_an_image_whose_top_class_differs_between_runtimes_is_not_golden():
    """Within the tolerance of an int8 file, but a self-test compares the class, too."""
    both = runs([[0.7, 0.3]] * 4 + [[0.502, 0.498]], [[0.7, 0.3]] * 4 + [[0.498, 0.502]])
    assert sorted(_reproducible(both, np.zeros(5, int), "int8", Path("model.tflite"))) == [0, 1, 2, 3]


def test_a_file_whose_top_class_differs_on_nearly_every_image_is_refused():
    both = runs([[0.502, 0.498]] * 8, [[0.498, 0.502]] * 8)
    with pytest.raises(ExportError, match=r"model\.tflite: the installed runtimes compute different"):
        _reproducible(both, np.zeros(8, int), "int8", Path("model.tflite"))
