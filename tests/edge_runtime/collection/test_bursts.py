"""Which pictures belong to one burst."""

from __future__ import annotations

from itertools import count

import numpy as np
import pytest

from edge_runtime.collection.bursts import Bursts

DARK, BRIGHT = np.zeros((32, 32), np.uint8), np.full((32, 32), 200, np.uint8)


@pytest.fixture
def bursts():
    numbers = count()
    return Bursts(make=lambda: f"b{next(numbers)}")


def test_pictures_less_than_two_seconds_apart_are_one_burst(bursts):
    assert [bursts.next(at, value) for at, value in ((0, DARK), (1.9, BRIGHT), (3.8, DARK), (5.8, BRIGHT))] == [
        "b0", "b0", "b0", "b1",
    ]  # fmt: skip


def test_a_scene_that_does_not_change_is_one_burst_all_night(bursts):
    assert {bursts.next(600.0 * number, DARK + np.uint8(number // 4)) for number in range(100)} == {"b0"}
    assert bursts.next(60_600.0, BRIGHT) == "b1"


def test_an_event_is_one_burst_for_five_minutes(bursts):
    found = [bursts.next(at, (DARK, BRIGHT)[number % 2], event=3) for number, at in enumerate((0, 100, 200, 299, 310))]
    assert found == ["b0", "b0", "b0", "b0", "b1"]
    assert bursts.next(320, BRIGHT, event=4) == "b2"


def test_pictures_without_an_event_belong_to_none(bursts):
    assert [bursts.next(at, value, event=None) for at, value in ((0, DARK), (10, BRIGHT))] == ["b0", "b1"]
