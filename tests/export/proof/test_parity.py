import numpy as np
import pytest

from export.errors import ParityError
from export.proof.parity import compare, confusion, cosine, flips, recalls, snr_db

REFERENCE = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]], np.float32)
LABELS = np.array([0, 1, 0, 0])


def test_equal_outputs_agree_wholly_and_have_no_noise():
    parity = compare(REFERENCE, REFERENCE.copy(), LABELS)
    assert (parity.images, parity.max_abs_diff, parity.mean_abs_diff, parity.snr_db) == (4, 0, 0, None)
    assert (parity.top1_agreement, parity.accuracy, parity.reference_accuracy) == (1, 0.75, 0.75)
    assert parity.worst_recall_loss == 0


def test_a_flipped_image_costs_agreement_accuracy_and_its_class_recall():
    candidate = REFERENCE.copy()
    candidate[2] = [0.4, 0.6]  # class 0 loses one of its three
    parity = compare(REFERENCE, candidate, LABELS)
    assert parity.top1_agreement == 0.75
    assert parity.accuracy == 0.5
    assert parity.worst_recall_class == 0
    assert parity.worst_recall_loss == pytest.approx(1 / 3)
    assert parity.max_abs_diff == pytest.approx(0.2, abs=1e-6)
    assert parity.mean_abs_diff == pytest.approx(0.05, abs=1e-6)


def test_an_image_that_becomes_right_is_no_loss():
    candidate = REFERENCE.copy()
    candidate[3] = [0.7, 0.3]
    parity = compare(REFERENCE, candidate, LABELS)
    assert parity.accuracy == 1
    assert parity.worst_recall_loss == 0


def test_snr_is_ten_times_the_logarithm_of_the_power_ratio():
    assert snr_db(np.array([3.0, 4.0], np.float32), np.array([3.0, 3.5], np.float32)) == pytest.approx(20.0)


def test_snr_of_an_all_zero_reference_is_a_number():
    assert snr_db(np.zeros(2, np.float32), np.ones(2, np.float32)) < 0


def test_a_class_without_images_has_no_recall_and_cannot_be_the_worst():
    found = recalls(np.array([0, 0]), np.array([0, 1]), 3)
    assert found[:2].tolist() == [1, 0]
    assert np.isnan(found[2])
    reference = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1]], np.float32)
    candidate = np.array([[0.8, 0.1, 0.1], [0.8, 0.1, 0.1]], np.float32)
    assert compare(reference, candidate, np.array([0, 1])).worst_recall_class == 1


def test_nothing_to_compare_is_a_failure():
    with pytest.raises(ParityError, match="no held-out images"):
        compare(REFERENCE[:0], REFERENCE[:0], LABELS[:0])


def test_nan_is_a_failure():
    candidate = REFERENCE.copy()
    candidate[0, 0] = np.nan
    with pytest.raises(ParityError, match="NaN"):
        compare(REFERENCE, candidate, LABELS)


def test_flips_are_sorted_by_the_probability_of_the_reference():
    candidate = REFERENCE.copy()
    candidate[2], candidate[0] = [0.4, 0.6], [0.3, 0.7]
    first, second = flips(REFERENCE, candidate, LABELS)
    assert (first.image, first.reference, first.candidate, first.label) == (0, 0, 1, 0)
    assert (first.reference_score, first.candidate_score) == pytest.approx((0.9, 0.7))
    assert second.image == 2


def test_lost_and_gained_images_are_counted():
    candidate = REFERENCE.copy()
    candidate[2], candidate[3] = [0.4, 0.6], [0.7, 0.3]
    parity = compare(REFERENCE, candidate, LABELS)
    assert (parity.lost, parity.gained) == (1, 1)


def test_cosine_is_one_for_equal_directions_and_defined_for_zeros():
    assert cosine(REFERENCE, 2 * REFERENCE) == pytest.approx(1)
    assert cosine(REFERENCE, np.zeros_like(REFERENCE)) == 0


def test_confusion_counts_by_true_and_predicted_class():
    assert confusion(np.array([0, 1, 1]), np.array([0, 0, 1]), 2).tolist() == [[1, 1], [0, 1]]
