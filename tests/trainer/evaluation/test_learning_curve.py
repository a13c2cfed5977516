"""The learning curve of drawn features: clusters that overlap, so that more photographs help."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from trainer.evaluation.learning_curve import Forecast, LearningCurve, learning_curve
from trainer.fitting.head_error import PENALTY_C

DIMENSIONS, LABELS = 40, ("a", "b", "c")
TRAINING, TEST = 0.7, 0.2


def draw(count, seed, spread=(1.0, 1.0, 1.0)):
    random = np.random.default_rng(seed)
    targets = np.arange(count) % len(spread)
    centres = np.random.default_rng(9).normal(size=(len(spread), DIMENSIONS)) * 0.3
    return centres[targets] + random.normal(size=(count, DIMENSIONS)) * np.array(spread)[targets, None], targets


def curve(count, seed, spread=(1.0, 1.0, 1.0)):
    return learning_curve(*draw(count, seed, spread), LABELS, training=TRAINING, test=TEST, seed=seed)


@pytest.fixture(scope="module")
def halves():
    return [curve(240, seed) for seed in range(12)]


def test_the_interval_contains_what_twice_as_many_photographs_give(halves):
    inside = []
    for seed, half in enumerate(halves):
        features, targets = draw(432, seed + 100)
        whole = LogisticRegression(C=PENALTY_C).fit(features[:336], targets[:336])
        measured = whole.score(features[336:], targets[336:])
        inside.append(half.total.low <= measured <= half.total.high)
    assert np.mean(inside) >= 0.85


def test_the_interval_is_not_wider_than_the_chance_of_two_tests(halves):
    widths = [half.total.high - half.total.low for half in halves]
    error = 1 - np.mean([half.total.twice for half in halves])
    chance = 2 * 1.96 * np.sqrt(error * (1 - error) / 96)
    assert chance < np.mean(widths) < 2 * chance


def test_the_accuracy_rises_with_the_photographs_and_the_prediction_continues_it(halves):
    for half in halves[:5]:
        sizes = [point.photographs for point in half.points]
        assert sizes == [21, 42, 84, 168]
        assert half.points[0].accuracy < half.points[-1].accuracy == pytest.approx(half.total.now, abs=0.01)
        assert all(point.low <= point.accuracy <= point.high for point in half.points)
        assert half.total.now <= half.total.twice <= half.total.high
    assert np.mean([half.total.twice - half.total.now for half in halves]) > 0.01


def test_the_class_that_overlaps_most_needs_photographs_first():
    found = curve(480, 1, spread=(1.6, 0.3, 0.3))
    assert found.neediest().label == "a"
    assert "add photographs of a first" in found.advice()
    assert [one.photographs for one in found.classes] == [112, 112, 112]


def test_separate_classes_need_no_more_photographs():
    found = curve(300, 1, spread=(0.05, 0.05, 0.05))
    assert found.total.now > 0.97
    assert found.total.low < found.total.twice <= found.total.high <= 1  # no error does not mean that there is none
    assert "would improve no class" in found.advice()


def test_a_class_with_few_photographs_is_measured_too():
    features, targets = draw(300, 3)
    kept = (targets != 2) | (np.cumsum(targets == 2) <= 12)
    found = learning_curve(features[kept], targets[kept], LABELS, training=TRAINING, test=TEST)
    rare, common = found.classes[2], found.classes[0]
    assert rare.photographs == 8
    assert rare.high - rare.low > common.high - common.low


def test_the_same_seed_gives_the_same_curve():
    assert curve(60, 4) == curve(60, 4)


def test_the_advice_names_the_largest_gain():
    classes = (Forecast("a", 9, 0.9, 0.92, 0.8, 1), Forecast("b", 9, 0.7, 0.8, 0.6, 0.9))
    found = LearningCurve((), Forecast("", 18, 0.8, 0.86, 0.7, 0.95), classes)
    assert found.advice() == (
        "add photographs of b first: with twice as many, its recall is predicted to rise from 70.0% to 80.0%"
    )
    assert found.to_json()["advice"] == found.advice()
