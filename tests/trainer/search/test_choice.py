"""Which candidate is trained next, and which one is chosen."""

from __future__ import annotations

import pytest

from trainer.search.candidates import Budget, Candidate, Screened, Trial
from trainer.search.choice import best, frontier, next_candidate, reason, worth_training

IMAGES = 1000
FREE = Budget(None, None)


def screened(name, multiply_adds, accuracy, parameters=100_000):
    return Screened(Candidate(name, 96), multiply_adds, parameters, 100, accuracy)


def trial(name, accuracy, ms, kb=100.0, validation=None, problem=""):
    return Trial(f"{name}-96", accuracy, (accuracy - 0.1, accuracy), validation or accuracy, kb, ms, 1.0, 60.0, problem)


SMALL, MIDDLE, LARGE = (
    screened("small", 10_000_000, 0.90),
    screened("middle", 20_000_000, 0.95),
    screened("large", 80_000_000, 0.955),
)
SCRATCH = screened("scratch", 5_000_000, None)
ALL = [SMALL, MIDDLE, LARGE, SCRATCH]


def test_a_candidate_that_a_cheaper_one_beats_is_not_worth_training():
    worse = screened("worse", 30_000_000, 0.92)
    assert worth_training([*ALL, worse], IMAGES) == ALL
    equal_cost = screened("equal cost", 20_000_000, 0.92)
    assert worth_training([*ALL, equal_cost], IMAGES) == ALL
    assert worth_training([*ALL, worse], 20) == [*ALL, worse]  # with 20 images, the difference may be chance


def test_without_limits_the_cheapest_of_the_best_comes_first_and_one_without_an_estimate_last():
    trials = []
    for expected in ("middle", "large", "small", "scratch"):
        following = next_candidate(ALL, trials, FREE, IMAGES)
        assert following.candidate.model == expected
        trials.append(trial(expected, 0.9, 1.0))
    assert next_candidate(ALL, trials, FREE, IMAGES) is None


@pytest.mark.parametrize(("limit_ms", "expected"), [(5.0, "large"), (2.1, "middle"), (0.6, "small"), (0.3, "scratch")])
def test_the_time_of_a_measured_candidate_predicts_that_of_the_others(limit_ms, expected):
    measured = trial("other", 0.5, 1.0)
    known = [*ALL, screened("other", 20_000_000, 0.5)]
    assert next_candidate(known, [measured], Budget(limit_ms, None), IMAGES).candidate.model == expected


def test_a_candidate_that_is_too_large_is_not_trained():
    heavy = screened("heavy", 1_000_000, 0.99, parameters=1_000_000)
    assert next_candidate([heavy, SMALL], [], Budget(None, 300.0), IMAGES) == SMALL
    assert next_candidate([heavy], [], Budget(None, 300.0), IMAGES) is None


def test_the_test_photographs_do_not_choose():
    trials = [trial("small", 0.99, 1.0, validation=0.90), trial("middle", 0.91, 2.0, validation=0.97)]
    known = {one.candidate.name: one for one in ALL}
    assert best(known, trials, FREE, 100) == trials[1]


def test_of_candidates_with_about_the_same_validation_the_one_with_the_best_cross_validation_is_chosen():
    trials = [trial("small", 0.9, 1.0, validation=0.97), trial("middle", 0.9, 2.0, validation=0.96)]
    known = {one.candidate.name: one for one in ALL}
    assert best(known, trials, FREE, 100) == trials[1]
    assert best(known, trials, Budget(1.5, None), 100) == trials[0]


def test_what_exceeds_a_limit_or_was_not_exported_is_not_chosen():
    trials = [trial("small", 0.9, 1.0, kb=400.0), trial("middle", 0.9, None, kb=None, problem="no parity")]
    found = best({one.candidate.name: one for one in ALL}, trials, Budget(2.0, 300.0), 100)
    assert found is None
    assert reason(found, trials, Budget(2.0, 300.0)) == (
        "None of the 2 trained candidates is within 2 ms and 300 kB: allow more, or search for longer."
    )


def test_the_frontier_has_no_candidate_that_another_one_equals_in_everything():
    trials = [
        trial("a", 0.9, 1.0, 100),
        trial("b", 0.9, 2.0, 100),
        trial("c", 0.95, 2.0, 200),
        trial("d", 0.95, 2.0, 90),
        trial("e", 0.99, None, None, problem="no parity"),
    ]
    assert frontier(trials) == {"a-96", "d-96"}
