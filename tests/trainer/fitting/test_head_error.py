"""The cross-validated error rate of a linear head."""

import numpy as np

from trainer.fitting.head_error import head_error_rate

RANDOM = np.random.default_rng(0)
TWO = np.repeat([0.0, 1.0], 60).astype(np.float32)[:, None]


def test_the_error_rate_is_zero_for_separable_features_and_about_half_for_noise():
    noise = RANDOM.normal(size=(120, 5))
    assert head_error_rate(noise + 9 * TWO, TWO, 0) == 0
    assert 0.3 < head_error_rate(noise, TWO, 0) < 0.7


def test_one_hot_targets_of_more_than_two_classes_are_supported():
    targets = np.eye(3, dtype=np.float32)[np.arange(90) % 3]
    assert head_error_rate(9 * targets.astype(np.float16) + 100, targets, 0) == 0


def test_the_error_rate_is_zero_if_a_class_is_too_small_for_cross_validation():
    assert head_error_rate(RANDOM.normal(size=(5, 2)), np.array([0, 0, 0, 1, 1], np.float32)[:, None], 0) == 0
