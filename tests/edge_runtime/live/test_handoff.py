"""The place between two threads: nothing is lost, nothing comes twice, whoever waits is woken."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from edge_runtime.live.handoff import Ended, Handoff

MANY = 20_000
SOON_S, LONG_S = 0.05, 10.0


@pytest.fixture
def other():
    """Another thread."""
    with ThreadPoolExecutor(1) as pool:
        yield pool


def until_the_end(handoff):
    with suppress(Ended):
        while True:
            yield handoff.get(LONG_S)


def test_every_item_comes_once_and_in_order_whoever_is_faster(other):
    handoff = Handoff(newest_only=False)

    def give():
        for number in range(MANY):
            assert handoff.put(number)
        handoff.end()

    given = other.submit(give)
    taken = list(until_the_end(handoff))
    given.result()
    assert taken == list(range(MANY))


def test_the_newest_takes_the_olders_place_and_the_giver_never_waits():
    handoff = Handoff(newest_only=True)
    assert all(handoff.put(number) for number in range(5))
    assert handoff.get(0.0) == 4
    with pytest.raises(TimeoutError):
        handoff.get(SOON_S)


def test_of_a_camera_that_is_faster_the_newest_come_in_order_and_the_last_is_not_lost(other):
    handoff = Handoff(newest_only=True)

    def give():
        for number in range(MANY):
            handoff.put(number)
        handoff.end()

    given = other.submit(give)
    taken = list(until_the_end(handoff))
    given.result()
    assert taken == sorted(set(taken))
    assert taken[-1] == MANY - 1


def test_a_taker_waits_as_long_as_it_says_also_when_it_was_woken_for_an_item_before():
    handoff = Handoff(newest_only=False)
    handoff.put(1)
    assert handoff.get() == 1
    began_s = time.monotonic()
    with pytest.raises(TimeoutError):
        handoff.get(SOON_S)
    assert time.monotonic() - began_s >= SOON_S


def test_a_giver_waits_until_its_item_is_taken(other):
    handoff = Handoff(newest_only=False)
    handoff.put(1)
    second = other.submit(handoff.put, 2)
    time.sleep(SOON_S)
    assert not second.done()
    assert not handoff.empty
    assert handoff.get() == 1
    assert second.result(LONG_S)
    assert handoff.get() == 2
    assert handoff.empty
    assert handoff.wait_until_taken()


@pytest.mark.parametrize("waits", ["put", "wait_until_taken"])
def test_an_end_wakes_a_giver_that_waits_and_what_lies_there_can_still_be_taken(waits, other):
    handoff = Handoff(newest_only=False)
    handoff.put(1)
    waiting = other.submit(handoff.put, 2) if waits == "put" else other.submit(handoff.wait_until_taken)
    time.sleep(SOON_S)
    handoff.end()
    assert waiting.result(LONG_S) is False
    assert handoff.ended
    assert handoff.put(3) is False
    assert handoff.get() == 1
    with pytest.raises(Ended):
        handoff.get()


def test_an_end_wakes_a_taker_that_waits_for_ever(other):
    handoff = Handoff(newest_only=True)
    waiting = other.submit(handoff.get)
    time.sleep(SOON_S)
    handoff.end()
    with pytest.raises(Ended):
        waiting.result(LONG_S)


def test_the_givers_problem_is_raised_where_items_are_taken_and_the_first_end_counts():
    handoff = Handoff(newest_only=False)
    handoff.put(1)
    handoff.end(ValueError("broken"))
    handoff.end()
    assert handoff.get() == 1
    for _ in range(2):
        with pytest.raises(ValueError, match="broken"):
            handoff.get()


def test_ends_from_both_sides_at_once_are_one_end():
    for _ in range(200):
        handoff = Handoff(newest_only=False)
        both = [threading.Thread(target=handoff.end) for _ in range(2)]
        for thread in both:
            thread.start()
        for thread in both:
            thread.join()
        with pytest.raises(Ended):
            handoff.get(LONG_S)
