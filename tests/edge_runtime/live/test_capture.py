"""A camera is read in a thread of its own; the cameras here do as the test says, by events and not by the clock."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from edge_runtime.errors import SourceError
from edge_runtime.live.capture import Capture, Patience
from edge_runtime.live.records import Event, Frame

BRIEF = Patience(stall_timeout_s=0.2, give_up_s=5.0, first_wait_s=0.01)


class Scripted:
    """A camera whose openings follow a script: "frame", "old frame", seconds of silence, a call or error.

    What it calls to be silent must return before the capture is let go, or that waits for the thread.
    """

    live = True

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
                yield Frame(self.name, number, np.zeros((2, 2, 3), np.uint8), time.time(), time.monotonic() - age_s)


@pytest.fixture
def silence():
    """Give a function that stays silent; `silence.end()` ends it, so that a capture need not wait for its thread."""
    ended = threading.Event()

    def wait():
        assert ended.wait(60)

    wait.end = ended.set
    yield wait
    ended.set()


def capture(source, patience=BRIEF):
    return Capture(source, patience, threading.Event())


def take(items, count):
    return [next(items) for _ in range(count)]


def kinds(items):
    return [item.kind if isinstance(item, Event) else "frame" for item in items]


def test_a_camera_gives_its_newest_frame_and_counts_the_dropped(silence):
    go, gone = threading.Event(), threading.Event()
    items = iter(capture(Scripted(["frame", go.wait, *["frame"] * 49, gone.set, silence])))
    assert next(items).number == 0
    go.set()
    gone.wait()
    newest = next(items)
    assert (newest.number, newest.dropped) == (50, 49)  # the call between them counts too
    silence.end()


def test_a_file_loses_no_frame_however_slow_the_reader():
    source = Scripted(["frame"] * 20, live=False)
    numbers = []
    for frame in capture(source):
        time.sleep(0.001)
        numbers.append((frame.number, frame.dropped))
    assert numbers == [(number, 0) for number in range(20)]


def test_a_files_failed_read_is_raised_after_what_came_before():
    items = iter(capture(Scripted(["frame", SourceError("damaged")], live=False)))
    assert kinds([next(items)]) == ["frame"]
    with pytest.raises(SourceError, match="damaged"):
        next(items)


def test_a_bug_in_a_source_keeps_its_type():
    with pytest.raises(ZeroDivisionError):
        list(capture(Scripted([ZeroDivisionError()], live=False)))


def test_a_camera_that_cannot_be_opened_at_first_fails_at_once():
    with pytest.raises(SourceError, match="no such camera"):
        next(iter(capture(Scripted(SourceError("no such camera")))))


def test_a_stall_is_told_within_its_timeout_and_the_camera_opened_again(silence):
    source = Scripted(["frame", silence], ["frame", silence])
    began = time.monotonic()
    given = iter(capture(source))
    items = take(given, 4)
    silence.end()
    assert kinds(items) == ["frame", "stalled", "recovered", "frame"]
    assert items[1].detail == "no fresh frame for 0.2 s"
    assert items[2].duration_s >= 0.2
    assert time.monotonic() - began < 3


def test_a_lost_camera_is_told_once_and_numbers_go_on_after_its_return(silence):
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


def test_the_end_of_a_cameras_stream_is_a_loss(silence):
    calm = Patience(stall_timeout_s=30.0, give_up_s=60.0, first_wait_s=0.01)
    items = iter(capture(Scripted(["frame"], ["frame", silence]), calm))
    assert kinds(take(items, 3)) == ["frame", "lost", "recovered"]
    silence.end()


def test_the_waits_before_reopening_grow():
    source = Scripted(["frame"])
    patience = Patience(stall_timeout_s=0.2, give_up_s=0.7, first_wait_s=0.05)
    with pytest.raises(SourceError, match=r"no fresh frame for 0.7 s; gave up"):
        list(capture(source, patience))
    waits = np.diff(source.opened)
    assert all(wait >= 0.05 * 2**index for index, wait in enumerate(waits))
    assert 1 <= len(waits) <= 5


def test_an_old_frame_is_no_frame(silence):
    items = iter(capture(Scripted(["old frame", "old frame", silence])))
    assert kinds([next(items)]) == ["stalled"]
    silence.end()


def test_frames_that_cannot_be_decoded_are_no_sign_of_life():
    steps = [step for _ in range(200) for step in ("frame", 0.01)]
    tried = capture(Scripted(steps))
    for item in tried:
        if isinstance(item, Event):
            break
        tried.reject()
    assert item.kind == "stalled"


def test_threads_that_a_driver_holds_do_not_pile_up(silence, monkeypatch):
    monkeypatch.setattr("edge_runtime.live.capture.LET_GO_S", 0.01)
    source = Scripted(*[[silence]] * 50)
    with pytest.raises(SourceError, match="gave up"):
        list(capture(source, Patience(stall_timeout_s=0.02, give_up_s=0.7, first_wait_s=0.01)))
    assert len(source.opened) == 3


def test_a_camera_that_sends_nothing_but_damage_is_let_go_before_it_is_opened_again():
    """One that is still open could not be opened again."""
    closed = threading.Event()

    class Damaged(Scripted):
        def __iter__(self):
            while True:
                time.sleep(0.01)
                yield Frame(self.name, 0, b"no JPEG", time.time(), time.monotonic())

        def __exit__(self, *_):
            closed.set()

    items = iter(capture(Damaged([]), replace(BRIEF, give_up_s=0.5)))
    assert kinds([next(items)]) == ["stalled"]
    with pytest.raises(SourceError, match="gave up"):
        next(items)
    assert closed.wait(10)


def test_stop_ends_a_silent_camera_soon(silence, monkeypatch):
    monkeypatch.setattr("edge_runtime.live.capture.LET_GO_S", 0.01)
    stop = threading.Event()
    items = iter(Capture(Scripted(["frame", silence]), Patience(stall_timeout_s=60), stop))
    next(items)
    threading.Timer(0.05, stop.set).start()
    began = time.monotonic()
    assert list(items) == []
    assert time.monotonic() - began < 5
