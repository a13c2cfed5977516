"""What frozen features are worth."""

import numpy as np

from trainer.fitting.features import head_misses

RANDOM = np.random.default_rng(0)
TWO = np.repeat([0.0, 1.0], 60).astype(np.float32)[:, None]


def test_a_head_misses_nothing_where_features_part_the_classes_and_half_where_they_do_not():
    noise = RANDOM.normal(size=(120, 5))
    assert head_misses(noise + 9 * TWO, TWO, 0) == 0
    assert 0.3 < head_misses(noise, TWO, 0) < 0.7


def test_more_than_two_classes_are_told_from_their_targets():
    targets = np.eye(3, dtype=np.float32)[np.arange(90) % 3]
    assert head_misses(9 * targets.astype(np.float16) + 100, targets, 0) == 0


def test_a_class_too_small_to_be_held_out_asks_for_nothing():
    assert head_misses(RANDOM.normal(size=(5, 2)), np.array([0, 0, 0, 1, 1], np.float32)[:, None], 0) == 0
