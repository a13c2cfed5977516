from __future__ import annotations

import numpy as np
import pytest

from export.proof.familiar import compare_familiar, familiar_failures
from export.proof.gate import Tolerances, failures, failures_elsewhere
from export.proof.parity import compare

LABELS = ("a", "b")


def outputs(*familiarities):
    return np.array([(0.75 * value, 0.25 * value) for value in familiarities], np.float32)


def rows(familiar, unfamiliar):
    return outputs(*[0.9] * familiar, *[0.1] * unfamiliar)


def test_shares_and_changes_are_counted():
    found = compare_familiar(
        (outputs(0.9, 0.9, 0.9, 0.4), outputs(0.9, 0.3, 0.9, 0.6)), (outputs(0.1, 0.6), outputs(0.7, 0.2)), 0.5
    )
    assert (found.kept, found.reference_kept, found.kept_lost, found.kept_gained) == (0.75, 0.75, 1, 1)
    assert (found.images, found.accepted, found.reference_accepted) == (2, 0.5, 0.5)
    assert (found.accepted_gained, found.accepted_lost) == (1, 1)
    assert found.max_abs_diff == pytest.approx(0.6)


def test_a_file_that_recognizes_clearly_fewer_photographs_fails():
    good = compare_familiar((rows(95, 5), rows(94, 6)), (rows(0, 50), rows(0, 50)), 0.5)
    assert familiar_failures(good) == []
    bad = compare_familiar((rows(95, 5), rows(85, 15)), (rows(0, 50), rows(0, 50)), 0.5)
    assert familiar_failures(bad) == ["recognizes 85.0% of the held-out images as familiar, the trained model 95.0%"]


def test_a_file_that_accepts_clearly_more_other_images_fails():
    bad = compare_familiar((rows(95, 5), rows(95, 5)), (rows(2, 48), rows(12, 38)), 0.5)
    assert familiar_failures(bad) == [
        "accepts 24.0% of the images of none of the classes as familiar, the trained model 4.0%"
    ]


def test_photographs_that_change_between_familiar_and_unknown_fail_the_gate_here_and_in_other_runtimes():
    labels = np.zeros(100, np.int64)
    parity = compare(rows(95, 5), rows(60, 40), labels, 0.5)
    assert (parity.top1_agreement, parity.familiar_agreement) == (1.0, 0.65)
    for found in (failures("int8", parity, Tolerances(), LABELS), failures_elsewhere(parity, Tolerances())):
        assert any("35 of 100 images change between familiar and unknown" in why for why in found)
    assert compare(rows(95, 5), rows(60, 40), labels).familiar_agreement == 1.0


def test_photographs_at_the_limit_may_change_in_a_quantized_file_but_not_in_a_float_one():
    labels = np.zeros(246, np.int64)
    parity = compare(rows(234, 12), rows(240, 6), labels, 0.5)
    assert failures("int8", parity, Tolerances(), LABELS) == []
    assert failures_elsewhere(parity, Tolerances()) == []
    assert any("6 of 246" in why for why in failures("float32", parity, Tolerances(max_abs_diff=1), LABELS))
