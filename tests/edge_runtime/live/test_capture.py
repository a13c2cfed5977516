"""Capture: a source is read in its own thread; the cameras here follow a script, mostly with events, not the clock."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from edge_runtime.errors import SourceError
from edge_runtime.live.capture import Capture, Patience
from edge_runtime.live.freshness import Skip
from edge_runtime.live.records import Event, Frame, SettingsError

BRIEF = Patience(stall_timeout_s=0.2, give_up_s=5.0, first_wait_s=0.01)


class Scripted:
    """A camera that follows one script per opening.

    A step of a script is "frame", "old frame", "frozen" (always the same picture), seconds of silence, a function to
    call, or an error to raise. An error in place of a script makes the opening fail. A function that blocks must return
    before the capture is closed, because closing waits for the thread.
    """

    live = True
    noise = np.random.default_rng(0)

    def __init__(self, *openings, live=True):
        self.name, self.live = "scripted", live
        self.openings = list(openings)
        self.opened = []

    def __enter__(self):
        self.opened.append(time.monotonic())
        self.script = self.openings.pop(0) if self.openings else [SourceError("unplugged")]
        if isinstance(self.script, Exception):
            raise self.script
        return self

    def __exit__(self, *_):
        pass

    def __iter__(self):
        for number, step in enumerate(self.script):
            if isinstance(step, Exception):
                raise step
            if callable(step):
                step()
            elif isinstance(step, float):
                time.sleep(step)
            else:
                age_s = 10.0 if step == "old frame" else 0.0
                brightest = 1 if step == "frozen" else 256
                pixels = self.noise.integers(0, brightest, (2, 2, 3), np.uint8)
                yield Frame(self.name, number, pixels, time.time(), time.monotonic() - age_s)


@pytest.fixture
def silence():
    """Return a function that blocks until `silence.end()` is called, so that a capture can close without waiting."""
    ended = threading.Event()

    def wait():
        assert ended.wait(60)

    wait.end = ended.set
    yield wait
    ended.set()


def capture(source, patience=BRIEF):
    return Capture(source, patience, threading.Event())


def next_items(items, count):
    return [next(items) for _ in range(count)]


def kinds(items):
    return [item.kind if isinstance(item, Event) else "frame" for item in items]


def test_a_camera_yields_its_newest_frame_and_counts_the_dropped_ones(silence):
    go, sent = threading.Event(), threading.Event()
    items = iter(capture(Scripted(["frame", go.wait, *["frame"] * 49, sent.set, silence])))
    assert next(items).number == 0
    go.set()
    sent.wait()
    newest = next(items)
    assert (newest.number, newest.dropped) == (50, 49)  # the call between them is numbered too
    silence.end()


def test_a_slow_consumer_gets_every_frame_of_a_file():
    source = Scripted(["frame"] * 20, live=False)
    numbers = []
    for frame in capture(source):
        time.sleep(0.001)
        numbers.append((frame.number, frame.dropped))
    assert numbers == [(number, 0) for number in range(20)]


def test_a_failed_read_of_a_file_is_raised_after_the_frames_before_it():
    items = iter(capture(Scripted(["frame", SourceError("damaged")], live=False)))
    assert kinds([next(items)]) == ["frame"]
    with pytest.raises(SourceError, match="damaged"):
        next(items)


def test_an_unexpected_exception_of_a_source_keeps_its_type():
    with pytest.raises(ZeroDivisionError):
        list(capture(Scripted([ZeroDivisionError()], live=False)))


def test_a_camera_that_is_away_at_the_start_is_opened_again(silence):
    items = iter(capture(Scripted(SourceError("no answer"), SourceError("no answer"), ["frame", silence])))
    found = next_items(items, 3)
    silence.end()
    assert kinds(found) == ["lost", "recovered", "frame"]
    assert found[0].detail == "no answer"


def test_a_camera_that_never_answers_is_given_up_with_the_last_problem():
    patience = Patience(stall_timeout_s=0.1, give_up_s=0.3, first_wait_s=0.01)
    with pytest.raises(SourceError, match=r"^scripted: no fresh frame for 0.3 s; gave up: unplugged$"):
        list(capture(Scripted(SourceError("no answer")), patience))


def test_wrong_settings_of_a_camera_are_an_error_at_once():
    with pytest.raises(SourceError, match="no such folder"):
        list(capture(Scripted(SettingsError("no such folder"))))


def test_a_frozen_camera_stalls_and_is_given_up_although_it_sends_frames():
    frozen = ["frozen", 0.01] * 200
    patience = Patience(stall_timeout_s=0.1, give_up_s=0.5, first_wait_s=0.01)
    items = []
    with pytest.raises(SourceError, match=r"no fresh frame for 0.5 s; gave up: [0-9]+ frames repeated"):
        items.extend(capture(Scripted(["frame", *frozen], *[frozen] * 20), patience))
    # Reopening the camera gives the same picture, which is not new. The first frame may be replaced by the second.
    assert kinds(items) in (["frame", "frame", "stalled"], ["frame", "stalled"])
    assert items[-1].detail.endswith(" frames repeated")


def test_a_healthy_camera_does_not_stall_while_its_frames_are_not_taken(silence):
    """Liveness is measured by the frames that arrive, not by those that are taken."""
    captured = capture(Scripted(["frame", 0.02] * 200))
    items = iter(captured)
    for _ in range(3):
        assert kinds([next(items)]) == ["frame"]
        captured.look_s = time.monotonic() + 0.5  # more than the time after which a camera has stalled
        assert captured.state() == "fresh"


def test_a_stall_is_reported_while_frames_are_not_due(silence):
    captured = capture(Scripted(["frame", silence]))
    items = iter(captured)
    next(items)
    captured.look_s = time.monotonic() + 100
    assert kinds([next(items)]) == ["stalled"]
    assert captured.state() == "stale"
    silence.end()


def test_frames_that_are_not_passed_on_are_counted_by_their_reason(silence):
    captured = capture(Scripted(["frame", "frozen", "frozen", "frozen", "old frame", silence]))
    items = iter(captured)
    assert kinds([next(items)]) == ["frame"]
    deadline_s = time.monotonic() + 5
    while sum(captured.record.skipped.values()) < 3 and time.monotonic() < deadline_s:
        time.sleep(0.005)
    silence.end()
    assert captured.record.skipped == {Skip("repeated"): 2, Skip("late"): 1}


def test_a_stall_is_reported_after_its_timeout_and_the_camera_is_reopened(silence):
    source = Scripted(["frame", silence], ["frame", silence])
    began = time.monotonic()
    captured = iter(capture(source))
    items = next_items(captured, 4)
    silence.end()
    assert kinds(items) == ["frame", "stalled", "recovered", "frame"]
    assert items[1].detail == "no fresh frame for 0.2 s"
    assert items[2].duration_s >= 0.2
    assert time.monotonic() - began < 3


def test_a_lost_camera_is_reported_once_and_frame_numbers_continue_after_it_returns(silence):
    away = SourceError("unplugged")
    source = Scripted(["frame", "frame", away], away, away, ["frame", silence])
    items = []
    for item in capture(source):
        items.append(item)
        if kinds(items)[-2:] == ["recovered", "frame"]:
            silence.end()
            break
    assert kinds(items)[-3:] == ["lost", "recovered", "frame"]
    assert items[-3].detail == "unplugged"
    numbers = [item.number for item in items if isinstance(item, Frame)]
    assert numbers == sorted(set(numbers))


def test_the_end_of_a_camera_stream_is_reported_as_lost(silence):
    patience = Patience(stall_timeout_s=30.0, give_up_s=60.0, first_wait_s=0.01)
    items = iter(capture(Scripted(["frame"], ["frame", silence]), patience))
    assert kinds(next_items(items, 3)) == ["frame", "lost", "recovered"]
    silence.end()


def test_each_wait_before_reopening_is_twice_the_previous_one():
    source = Scripted(["frame"])
    patience = Patience(stall_timeout_s=0.2, give_up_s=0.7, first_wait_s=0.05)
    with pytest.raises(SourceError, match=r"no fresh frame for 0.7 s; gave up"):
        list(capture(source, patience))
    waits = np.diff(source.opened)
    assert all(wait >= 0.05 * 2**index for index, wait in enumerate(waits))
    assert 1 <= len(waits) <= 5


def test_an_old_frame_does_not_count_as_fresh(silence):
    items = iter(capture(Scripted(["old frame", "old frame", silence])))
    assert kinds([next(items)]) == ["stalled"]
    silence.end()


def test_a_camera_that_sends_only_undecodable_frames_counts_as_stalled():
    steps = [step for _ in range(200) for step in ("frame", 0.01)]
    items = capture(Scripted(steps))
    for item in items:
        if isinstance(item, Event):
            break
        items.reject()
    assert item.kind == "stalled"


def test_the_number_of_threads_that_a_driver_blocks_is_limited(silence, monkeypatch):
    monkeypatch.setattr("edge_runtime.live.capture.CLOSE_S", 0.01)
    source = Scripted(*[[silence]] * 50)
    with pytest.raises(SourceError, match="gave up"):
        list(capture(source, Patience(stall_timeout_s=0.02, give_up_s=0.7, first_wait_s=0.01)))
    assert len(source.opened) == 3


def test_a_camera_that_sends_only_damaged_frames_is_closed_before_it_is_reopened():
    """A device that is still open cannot be opened again."""
    closed = threading.Event()

    class Damaged(Scripted):
        def __iter__(self):
            while True:
                time.sleep(0.01)
                yield Frame(self.name, 0, b"not a JPEG", time.time(), time.monotonic())

        def __exit__(self, *_):
            closed.set()

    items = iter(capture(Damaged([]), replace(BRIEF, give_up_s=0.5)))
    assert kinds([next(items)]) == ["stalled"]
    with pytest.raises(SourceError, match="gave up"):
        next(items)
    assert closed.wait(10)


def test_stop_ends_the_capture_of_a_silent_camera(silence, monkeypatch):
    monkeypatch.setattr("edge_runtime.live.capture.CLOSE_S", 0.01)
    stop = threading.Event()
    items = iter(Capture(Scripted(["frame", silence]), Patience(stall_timeout_s=60), stop))
    next(items)
    threading.Timer(0.05, stop.set).start()
    began = time.monotonic()
    assert list(items) == []
    assert time.monotonic() - began < 5
