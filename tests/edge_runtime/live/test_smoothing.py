"""Smoothing and voting over frames; the expected results are computed by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from edge_runtime.live.smoothing import Rules, State, advance, candidate, label_of, smooth, update_stable, vote

RULES = Rules(thresholds=(0.6, 0.6), alpha=1.0, k=3, n=5, leave=2, margin=0.1)
CAT, DOG, NONE = 0, 1, -1


def probabilities(*values):
    return np.array(values, np.float32)


def stable_after(frames, rules):
    """Return the stable class after each frame, from each frame's probability of cat."""
    state, stable = State(), []
    for cat in frames:
        state = advance(state, probabilities(cat, 1 - cat), rules)
        stable.append(state.stable)
    return stable


def test_alpha_is_the_weight_of_the_newest_frame():
    before = smooth(None, probabilities(0.8, 0.2), 0.25)
    assert before.tolist() == pytest.approx([0.8, 0.2])
    after = smooth(before, probabilities(0.4, 0.6), 0.25)
    assert after.tolist() == pytest.approx([0.7, 0.3])  # 0.25 * 0.4 + 0.75 * 0.8
    assert after.dtype == np.float32


def test_alpha_1_turns_smoothing_off():
    assert smooth(probabilities(0.8, 0.2), probabilities(0.1, 0.9), 1.0).tolist() == pytest.approx([0.1, 0.9])


def test_a_vote_is_the_top_class_or_unknown_below_its_threshold():
    assert vote(probabilities(0.6, 0.4), NONE, RULES) == CAT
    assert vote(probabilities(0.59, 0.41), NONE, RULES) == NONE
    assert vote(probabilities(0.3, 0.7), NONE, RULES) == DOG


def test_the_present_class_gets_votes_within_the_margin():
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
        ((CAT, CAT, NONE, NONE, NONE), CAT, CAT),  # 2 votes are enough to stay
        ((CAT, NONE, NONE, NONE, NONE), CAT, NONE),  # 1 vote is not
        ((CAT, CAT, DOG, DOG, DOG), CAT, DOG),  # without unknown in between
        ((CAT, CAT, CAT, DOG, DOG), CAT, CAT),
        ((CAT, CAT, CAT, NONE, NONE), NONE, NONE),  # a class enters only with its own vote
    ],
)
def test_k_of_n_with_hysteresis(votes, before, after):
    assert update_stable(votes, before, RULES) == after


def test_a_single_wrong_frame_changes_nothing():
    frames = [0.9, 0.9, 0.9, 0.1, 0.9, 0.9]
    assert stable_after(frames, RULES) == [NONE, NONE, CAT, CAT, CAT, CAT]


def test_alternating_frames_flicker_without_smoothing_and_are_unknown_with_it():
    assert stable_after([0.9, 0.1] * 4, RULES) == [NONE, NONE, NONE, NONE, CAT, DOG, CAT, DOG]
    smoothed = Rules(thresholds=(0.6, 0.6), alpha=0.25, k=3, n=5)
    assert (
        stable_after([0.5, *[0.8, 0.2] * 10], smoothed) == [NONE] * 21
    )  # the smoothed probability stays between 0.481 and 0.575


def test_only_the_last_n_votes_are_kept():
    state = State()
    for _ in range(100):
        state = advance(state, probabilities(0.9, 0.1), RULES)
    assert len(state.votes) == 5


def test_the_label_of_class_minus_1_is_unknown():
    assert label_of(1, ("cat", "dog")) == "dog"
    assert label_of(-1, ("cat", "dog")) == "unknown"


def test_an_unfamiliar_scene_votes_for_unknown_and_the_margin_keeps_the_stable_class():
    rules = Rules(thresholds=(0.0, 0.0), min_familiarity=0.5, margin=0.125)
    assert vote(probabilities(0.375, 0.0), NONE, rules) == NONE
    assert vote(probabilities(0.375, 0.0), CAT, rules) == CAT
    assert vote(probabilities(0.25, 0.0), CAT, rules) == NONE
    assert vote(probabilities(0.375, 0.25), NONE, rules) == CAT


@pytest.mark.parametrize(
    ("votes", "stable", "expected"),
    [
        ((), NONE, None),
        ((CAT, CAT), CAT, None),
        ((CAT, CAT, DOG), CAT, (DOG, 1, 3)),
        ((CAT, CAT, CAT, DOG, DOG), CAT, (DOG, 2, 3)),
        ((DOG,), NONE, (DOG, 1, 3)),
        ((CAT, CAT, CAT, NONE, NONE), CAT, (NONE, 2, 4)),  # below two votes, cat leaves
    ],
)
def test_the_candidate_is_what_the_newest_vote_is_for(votes, stable, expected):
    assert candidate(State(None, votes, stable), RULES) == expected


def test_a_candidate_with_enough_votes_becomes_stable():
    """Follow every sequence of six votes: the stable class changes exactly when the candidate has what it needs."""
    for sequence in itertools.product((CAT, DOG, NONE), repeat=6):
        votes, stable = (), NONE
        for newest in sequence:
            votes = (*votes, newest)[-RULES.n :]
            found = candidate(State(None, votes, stable), RULES)
            after = update_stable(votes, stable, RULES)
            if found and found.label != NONE:
                assert (after == found.label) == (found.votes >= found.needed)
            elif found:
                assert (after == NONE) == (found.votes >= found.needed)
            stable = after
