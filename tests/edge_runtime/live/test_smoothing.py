"""Sequences whose answers are computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from edge_runtime.live.smoothing import Rules, State, advance, label_of, settle, smooth, vote

RULES = Rules(thresholds=(0.6, 0.6), alpha=1.0, k=3, n=5, leave=2, margin=0.1)
CAT, DOG, NONE = 0, 1, -1


def probabilities(*values):
    return np.array(values, np.float32)


def stable_after(frames, rules):
    """Give the stable class after each frame's probability of cat."""
    state, stable = State(), []
    for cat in frames:
        state = advance(state, probabilities(cat, 1 - cat), rules)
        stable.append(state.stable)
    return stable


def test_smoothing_weighs_the_newest_with_alpha():
    before = smooth(None, probabilities(0.8, 0.2), 0.25)
    assert before.tolist() == pytest.approx([0.8, 0.2])
    after = smooth(before, probabilities(0.4, 0.6), 0.25)
    assert after.tolist() == pytest.approx([0.7, 0.3])  # 0.25 * 0.4 + 0.75 * 0.8
    assert after.dtype == np.float32


def test_alpha_1_smooths_nothing():
    assert smooth(probabilities(0.8, 0.2), probabilities(0.1, 0.9), 1.0).tolist() == pytest.approx([0.1, 0.9])


def test_a_vote_is_the_top_class_or_unknown_below_its_threshold():
    assert vote(probabilities(0.6, 0.4), NONE, RULES) == CAT
    assert vote(probabilities(0.59, 0.41), NONE, RULES) == NONE
    assert vote(probabilities(0.3, 0.7), NONE, RULES) == DOG


def test_the_present_class_votes_within_the_margin():
    assert vote(probabilities(0.55, 0.45), CAT, RULES) == CAT
    assert vote(probabilities(0.55, 0.45), DOG, RULES) == NONE
    assert vote(probabilities(0.49, 0.48), CAT, RULES) == NONE


def test_thresholds_are_per_class():
    rules = Rules(thresholds=(0.9, 0.5))
    assert vote(probabilities(0.8, 0.2), NONE, rules) == NONE
    assert vote(probabilities(0.2, 0.8), NONE, rules) == DOG


@pytest.mark.parametrize(
    ("votes", "before", "after"),
    [
        ((CAT,), NONE, NONE),
        ((CAT, CAT), NONE, NONE),
        ((CAT, NONE, CAT, NONE, CAT), NONE, CAT),  # 3 of 5
        ((CAT, CAT, CAT, NONE, NONE), CAT, CAT),
        ((CAT, CAT, NONE, NONE, NONE), CAT, CAT),  # 2 votes still hold it
        ((CAT, NONE, NONE, NONE, NONE), CAT, NONE),  # 1 does not
        ((CAT, CAT, DOG, DOG, DOG), CAT, DOG),  # straight from one to the other
        ((CAT, CAT, CAT, DOG, DOG), CAT, CAT),
        ((CAT, CAT, CAT, NONE, NONE), NONE, NONE),  # let in by its own vote only, not by its past
    ],
)
def test_k_of_n_with_hysteresis(votes, before, after):
    assert settle(votes, before, RULES) == after


def test_a_single_wrong_frame_changes_nothing():
    frames = [0.9, 0.9, 0.9, 0.1, 0.9, 0.9]
    assert stable_after(frames, RULES) == [NONE, NONE, CAT, CAT, CAT, CAT]


def test_alternating_frames_settle_on_nothing_but_the_majority_of_votes():
    assert stable_after([0.9, 0.1] * 4, RULES) == [NONE, NONE, NONE, NONE, CAT, DOG, CAT, DOG]
    calm = Rules(thresholds=(0.6, 0.6), alpha=0.25, k=3, n=5)
    assert stable_after([0.5, *[0.8, 0.2] * 10], calm) == [NONE] * 21  # 0.575 at most, 0.481 at least


def test_only_the_last_n_votes_are_remembered():
    state = State()
    for _ in range(100):
        state = advance(state, probabilities(0.9, 0.1), RULES)
    assert len(state.votes) == 5


def test_a_label_is_a_classes_or_unknown():
    assert label_of(1, ("cat", "dog")) == "dog"
    assert label_of(-1, ("cat", "dog")) == "unknown"
