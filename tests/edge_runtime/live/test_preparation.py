"""Pace: when the newest frame is taken. The clock is simulated."""

from __future__ import annotations

import pytest

from edge_runtime.live.preparation import LEAST_SLACK_S, Pace

INFERENCE_S, PREPARE_S = 0.100, 0.020


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now_s = 1000.0

        def monotonic(self):
            return self.now_s

    simulated = Clock()
    monkeypatch.setattr("edge_runtime.live.preparation.time", simulated)
    return simulated


@pytest.fixture
def frames(clock):
    """Return a function that simulates frames for which the model had to wait or not, and returns the last wait."""
    pace = Pace()

    def play(count, *, waited, inference_s=INFERENCE_S):
        for _ in range(count):
            pace.inference_began(waited=waited)
            began_s = pace.wait_s()
            pace.prepared(PREPARE_S)
            clock.now_s += inference_s
            pace.inference_ended()
        return began_s

    return play


def test_the_first_frame_is_taken_at_once(clock):
    assert Pace().wait_s() < 0


def test_a_frame_is_taken_just_before_the_model_is_free(frames):
    assert frames(100, waited=False) == pytest.approx(INFERENCE_S - PREPARE_S - LEAST_SLACK_S, abs=1e-4)


def test_frames_are_taken_earlier_after_the_model_had_to_wait_and_then_slowly_later_again(frames):
    in_time = frames(100, waited=False)
    earlier = frames(5, waited=True)
    assert earlier < in_time - 0.003
    later = [frames(1, waited=False) for _ in range(1500)]
    assert later == sorted(later)
    assert later[-1] == pytest.approx(in_time, abs=1e-4)


def test_frames_of_a_source_that_is_slower_than_the_model_are_taken_at_once(frames):
    assert frames(100, waited=True) < 0


def test_a_prepared_frame_does_not_wait_long_for_a_slow_model(frames):
    assert frames(100, waited=True, inference_s=8.0) > 7.8
