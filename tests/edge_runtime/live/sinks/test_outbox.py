"""The queue that delivers to a slow or absent receiver."""

from __future__ import annotations

import threading
import time

import pytest

from edge_runtime.live.sinks.outbox import Counts, DeliveryError, DeliveryRefused, Outbox


@pytest.fixture
def outbox():
    """Return a function that creates an outbox, which is closed after the test."""
    made = []

    def make(deliver, *args, **options):
        made.append(Outbox("test", deliver, *args, **{"first_pause_s": 0.01, **options}))
        return made[-1]

    yield make
    for one in made:
        one.close(0.1)


def test_events_arrive_in_order(outbox, make_event):
    got = []
    box = outbox(got.append)
    for number in range(50):
        box.put(make_event(number))
    box.close()
    assert [event.frame for event in got] == list(range(50))
    assert box.counts() == Counts(50, 0, 0)


def test_with_a_blocked_receiver_put_stays_fast_and_the_oldest_items_are_dropped_and_reported(
    outbox, make_event, capfd
):
    gate, got = threading.Event(), []
    box = outbox(lambda event: (gate.wait(), got.append(event)), capacity=10)
    started = time.perf_counter()
    for number in range(10_000):
        box.put(make_event(number))
    assert (time.perf_counter() - started) / 10_000 < 0.001
    gate.set()
    box.close()
    assert [event.frame for event in got][-10:] == list(range(9990, 10_000))
    counts = box.counts()
    assert counts.delivered + counts.dropped == 10_000
    assert capfd.readouterr().err.count("test: the queue is full") == 1


def test_a_slow_receiver_is_reported_once_and_when_the_outbox_closes(outbox, make_event, capfd):
    """It is not reported for each event."""
    gate = threading.Semaphore(0)
    box = outbox(lambda _: gate.acquire(), capacity=2)
    for number in range(50):
        box.put(make_event(number))
        gate.release()
    for _ in range(50):
        gate.release()
    box.close()
    reports = capfd.readouterr().err.splitlines()
    assert len(reports) <= 2
    assert all("the queue is full" in line or "closed (events waiting: 0" in line for line in reports)


def test_a_failed_delivery_is_retried_until_it_succeeds(outbox, make_event, wait_until, capfd):
    attempts = []

    def deliver(event):
        attempts.append(event.frame)
        if len(attempts) < 4:
            raise DeliveryError("away")

    box = outbox(deliver)
    box.put(make_event(1))
    box.put(make_event(2))
    wait_until(lambda: box.counts().delivered == 2)
    assert attempts == [1, 1, 1, 1, 2]
    assert capfd.readouterr().err.splitlines()[-1] == "edge-run: test: delivers again"


def test_attempts_are_limited_and_a_refused_item_is_not_retried(outbox, make_event, wait_until):
    attempts = []

    def deliver(event):
        attempts.append(event.frame)
        raise DeliveryRefused("no") if event.frame == 2 else DeliveryError("away")

    box = outbox(deliver, attempts=3)
    box.put(make_event(1))
    box.put(make_event(2))
    wait_until(lambda: box.counts().dropped == 2)
    assert attempts == [1, 1, 1, 2]


def test_an_unexpected_exception_does_not_stop_later_deliveries(outbox, make_event):
    got = []

    def deliver(event):
        got.append(event.frame)
        if event.frame == 0:
            raise ZeroDivisionError

    box = outbox(deliver, attempts=1)
    box.put(make_event(0))
    box.put(make_event(1))
    box.close()
    assert got == [0, 1]


def test_only_the_newest_prediction_is_delivered(outbox, make_prediction, wait_until):
    gate, got = threading.Event(), []
    box = outbox(print, lambda prediction: (gate.wait(), got.append(prediction.frame)))
    for number in range(100):
        box.put_prediction(make_prediction(number))
    gate.set()
    wait_until(lambda: got and got[-1] == 99)
    assert len(got) <= 2


def test_closing_takes_a_bounded_time_and_counts_the_remaining_items_as_dropped(outbox, make_event):
    gate = threading.Event()
    box = outbox(lambda _: gate.wait())
    for number in range(5):
        box.put(make_event(number))
    started = time.monotonic()
    box.close(0.2)
    assert time.monotonic() - started < 5
    assert box.counts().dropped == 5
    gate.set()
