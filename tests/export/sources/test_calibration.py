import numpy as np
import pytest

from export.errors import ExportError
from export.sources.calibration import balanced, choose


def test_images_are_taken_from_every_class_in_turn():
    labels = np.array([0] * 50 + [1] * 50 + [2] * 3)
    chosen = labels[balanced(labels, 33)]
    assert np.bincount(chosen).tolist() == [15, 15, 3]


def test_all_are_taken_when_there_are_no_more():
    assert balanced(np.array([1, 0, 1]), 100).tolist() == [0, 1, 2]


def test_images_of_one_class_are_refused():
    with pytest.raises(ExportError, match=r"calibration.npz: all 4 calibration images belong to one class"):
        choose(np.zeros((4, 2, 2, 3), np.uint8), np.ones(4, np.int64), 4, "calibration.npz")
