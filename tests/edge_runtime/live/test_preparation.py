"""When the newest frame is taken; the clock here is the test's own."""

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

    made = Clock()
    monkeypatch.setattr("edge_runtime.live.preparation.time", made)
    return made


@pytest.fixture
def frames(clock):
    """Give a function that lets some frames pass, for which the model had to wait or not; it gives the next wait."""
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


def test_a_frame_is_taken_at_once_before_anything_is_known(clock):
    assert Pace().wait_s() < 0


def test_a_frame_is_taken_just_in_time(frames):
    assert frames(100, waited=False) == pytest.approx(INFERENCE_S - PREPARE_S - LEAST_SLACK_S, abs=1e-4)


def test_once_the_model_had_to_wait_frames_are_taken_earlier_and_later_again_little_by_little(frames):
    in_time = frames(100, waited=False)
    earlier = frames(5, waited=True)
    assert earlier < in_time - 0.003
    later = [frames(1, waited=False) for _ in range(1500)]
    assert later == sorted(later)
    assert later[-1] == pytest.approx(in_time, abs=1e-4)


def test_a_source_slower_than_the_model_is_not_waited_for_beyond_its_frames(frames):
    assert frames(100, waited=True) < 0


def test_a_frame_does_not_wait_long_for_a_slow_model(frames):
    assert frames(100, waited=True, inference_s=8.0) > 7.8
