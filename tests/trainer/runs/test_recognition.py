"""What the output of a training says about a weak familiarity."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.evaluation.familiarity import Separation
from trainer.runs.recognition import PACKAGED, SCENES, Recognition, weaknesses


def recognition(fpr95=0.0, interval=(0.94, 0.96), kind=SCENES):
    separations = {kind: Separation(200, 0.1, fpr95, 0.95)}
    return Recognition(None, "", 0.95, 0.9, separations, np.empty((0, 8, 8, 3), np.uint8), interval)


def test_a_strong_familiarity_has_no_weakness():
    assert weaknesses(recognition()) == []


@pytest.mark.parametrize("kind", [SCENES, PACKAGED])
def test_other_images_that_are_as_familiar_as_photographs_are_stated(kind):
    (line,) = weaknesses(recognition(fpr95=0.4, kind=kind))
    assert f"weak for {kind}: 40%" in line


def test_a_limit_set_by_few_photographs_is_stated():
    (line,) = weaknesses(recognition(interval=(0.9, 0.99)))
    assert "90% to 99% of new photographs" in line
