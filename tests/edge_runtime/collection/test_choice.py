"""Which frames are worth a label, and when."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from edge_runtime.classify.decision import Scored
from edge_runtime.collection.choice import hard_reason
from edge_runtime.collection.schedule import RandomTimes, Rate


def top(*scores):
    return [Scored(f"class {number}", score) for number, score in enumerate(scores)]


@pytest.mark.parametrize(
    ("label", "scores", "options", "reason"),
    [
        ("a", (0.9, 0.1), {}, None),
        ("a", (0.7, 0.3), {}, None),
        ("a", (0.6, 0.4), {}, "close"),
        ("unknown", (0.8, 0.2), {}, "close"),  # below the threshold of its class
        ("a", (0.9,), {}, None),  # --top-k 1: the second class has at most 0.1
        ("a", (0.6,), {}, "close"),
        ("a", (0.5,), {"familiarity": 0.55, "min_familiarity": 0.5}, None),
        ("a", (0.9, 0.1), {"flipped": True}, "flipped"),
        ("unknown", (0.2, 0.1), {"familiarity": 0.3, "min_familiarity": 0.5}, "unfamiliar"),
        ("a", (0.45, 0.1), {"familiarity": 0.55, "min_familiarity": 0.5}, None),
        ("a", (0.2, 0.1), {"familiarity": 0.3}, "close"),
    ],
)
def test_unfamiliar_close_and_flipped_frames_are_hard(label, scores, options, reason):
    assert hard_reason(label, top(*scores), **options) == reason


def test_the_rate_holds_over_time_and_allows_two_in_a_row():
    rate = Rate(per_s=0.1)
    taken = [second for second in range(1000) if rate.take(float(second))]
    assert 100 <= len(taken) <= 103
    assert rate.take(1060.0)
    assert rate.take(1060.1)
    assert not rate.take(1060.2)


def test_a_rate_of_zero_allows_nothing():
    assert not any(Rate(0.0).take(float(second)) for second in range(100))
    assert not RandomTimes(0.0, random.Random(1)).is_due(1e9)


def test_random_times_come_at_the_wanted_rate_whatever_was_shown_before():
    times = RandomTimes(0.1, random.Random(2))
    due = [tick / 10 for tick in range(100_000) if times.is_due(tick / 10)]
    assert 900 < len(due) < 1100
    gaps = [later - earlier for earlier, later in pairwise(due)]
    mean = sum(gaps) / len(gaps)
    spread = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
    assert spread == pytest.approx(mean, rel=0.15)  # as of exponential gaps; regular ones would have no spread
