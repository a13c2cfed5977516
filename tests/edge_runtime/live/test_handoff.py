"""Handoff: no item is lost or repeated, and a waiting thread is woken."""

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


def remaining_items(handoff):
    with suppress(Ended):
        while True:
            yield handoff.get(LONG_S)


def test_every_item_arrives_once_and_in_order(other):
    handoff = Handoff(newest_only=False)

    def produce():
        for number in range(MANY):
            assert handoff.put(number)
        handoff.end()

    producer = other.submit(produce)
    items = list(remaining_items(handoff))
    producer.result()
    assert items == list(range(MANY))


def test_with_newest_only_an_item_replaces_the_older_one_and_the_producer_never_waits():
    handoff = Handoff(newest_only=True)
    assert all(handoff.put(number) for number in range(5))
    assert handoff.get(0.0) == 4
    with pytest.raises(TimeoutError):
        handoff.get(SOON_S)


def test_with_newest_only_items_arrive_in_order_and_the_last_one_is_not_lost(other):
    handoff = Handoff(newest_only=True)

    def produce():
        for number in range(MANY):
            handoff.put(number)
        handoff.end()

    producer = other.submit(produce)
    items = list(remaining_items(handoff))
    producer.result()
    assert items == sorted(set(items))
    assert items[-1] == MANY - 1


def test_get_waits_for_its_full_timeout_after_an_earlier_item():
    handoff = Handoff(newest_only=False)
    handoff.put(1)
    assert handoff.get() == 1
    began_s = time.monotonic()
    with pytest.raises(TimeoutError):
        handoff.get(SOON_S)
    assert time.monotonic() - began_s >= SOON_S


def test_put_waits_until_the_previous_item_is_taken(other):
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
def test_an_end_wakes_a_waiting_producer_and_the_last_item_can_still_be_taken(waits, other):
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


def test_an_end_wakes_a_consumer_that_waits_without_a_timeout(other):
    handoff = Handoff(newest_only=True)
    waiting = other.submit(handoff.get)
    time.sleep(SOON_S)
    handoff.end()
    with pytest.raises(Ended):
        waiting.result(LONG_S)


def test_the_producers_exception_is_raised_in_get_and_a_second_end_has_no_effect():
    handoff = Handoff(newest_only=False)
    handoff.put(1)
    handoff.end(ValueError("broken"))
    handoff.end()
    assert handoff.get() == 1
    for _ in range(2):
        with pytest.raises(ValueError, match="broken"):
            handoff.get()


def test_both_sides_can_end_at_the_same_time():
    for _ in range(200):
        handoff = Handoff(newest_only=False)
        threads = [threading.Thread(target=handoff.end) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with pytest.raises(Ended):
            handoff.get(LONG_S)
