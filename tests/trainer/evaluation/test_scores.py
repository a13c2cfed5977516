"""Scores, compared with values computed by hand."""

import math

import numpy as np
import pytest

from trainer.evaluation.scores import per_class_probabilities, score

PROBABILITIES = np.array([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7], [0.2, 0.8]])
TARGETS = np.array([0, 1, 1, 1])


def test_scores_equal_values_computed_by_hand():
    result = score(PROBABILITIES, TARGETS, ["cat", "dog"])
    assert result.accuracy == 0.75
    assert result.confusion == ((1, 0), (1, 2))
    cat, dog = result.per_class
    assert (cat.label, cat.precision, cat.recall, cat.support) == ("cat", 0.5, 1.0, 1)
    assert (dog.label, dog.precision, dog.support) == ("dog", 1.0, 3)
    assert dog.recall == pytest.approx(2 / 3)
    assert dog.f1 == pytest.approx(0.8)
    assert result.loss == pytest.approx(-sum(map(math.log, (0.9, 0.4, 0.7, 0.8))) / 4)


def test_a_class_without_images_and_predictions_scores_zero():
    result = score(np.array([[0.9, 0.1, 0.0]]), np.array([0]), ["a", "b", "c"])
    assert result.confusion == ((1, 0, 0), (0, 0, 0), (0, 0, 0))
    assert result.per_class[2] == ("c", 0.0, 0.0, 0.0, 0)


def test_a_confident_mistake_has_a_finite_loss():
    assert math.isfinite(score(np.array([[1.0, 0.0]]), np.array([1]), ["a", "b"]).loss)


def test_a_sigmoid_is_the_probability_of_the_second_label():
    wide = per_class_probabilities(np.array([[0.25], [1.0]], np.float32))
    np.testing.assert_allclose(wide, [[0.75, 0.25], [0.0, 1.0]])


def test_the_output_of_a_softmax_is_unchanged():
    np.testing.assert_array_equal(per_class_probabilities(PROBABILITIES.astype(np.float32)), PROBABILITIES.astype("f4"))


def test_json_and_table_contain_the_scores():
    result = score(PROBABILITIES, TARGETS, ["cat", "dog"])
    assert result.to_json()["per_class"]["cat"] == {"precision": 0.5, "recall": 1.0, "f1": 2 / 3, "support": 1}
    assert "accuracy 75.0% of 4 test images" in result.to_table()
