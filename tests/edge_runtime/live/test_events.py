"""Events: classes that enter and leave, with their duration and best frame."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from edge_runtime.live.events import THUMBNAIL_SIDE, EventTracker
from edge_runtime.live.records import Frame


@pytest.fixture
def tracker():
    return EventTracker()


def update(tracker, second, label, score, color="black"):
    """Update a tracker with a frame; frame N is captured at 1000 + N seconds since the epoch."""
    frame = Frame("camera", second, b"", 1000.0 + second, float(second))
    return tracker.update(label, score, frame, Image.new("RGB", (640, 480), color), float(second))


def test_a_class_enters_and_leaves_with_its_duration_and_best_frame(tracker):
    assert update(tracker, 0, "unknown", 0.0) == []
    (entered,) = update(tracker, 1, "cat", 0.7)
    assert (entered.kind, entered.label, entered.frame, entered.at, entered.score) == ("entered", "cat", 1, 1001, 0.7)
    assert update(tracker, 2, "cat", 0.9, "red") == []
    assert update(tracker, 3, "cat", 0.8) == []
    (left,) = update(tracker, 5, "unknown", 0.0)
    assert (left.kind, left.label, left.frame, left.at) == ("left", "cat", 2, 1005)
    assert (left.score, left.duration_s) == (0.9, 4.0)
    thumbnail = Image.open(io.BytesIO(left.thumbnail))
    assert thumbnail.size == (THUMBNAIL_SIDE, THUMBNAIL_SIDE * 3 // 4)
    assert thumbnail.getpixel((80, 60))[0] > 200  # the best frame was red
    assert len(left.thumbnail) < 10_000


def test_an_event_has_the_familiarity_of_the_frame_with_the_best_score(tracker):
    frame, image = Frame("camera", 0, b"", 1000.0, 0.0), Image.new("RGB", (64, 48))
    (entered,) = tracker.update("cat", 0.7, frame, image, 0.0, 0.8)
    assert (entered.familiarity, entered.to_json()["familiarity"]) == (0.8, 0.8)
    tracker.update("cat", 0.9, frame, image, 1.0, 0.95)
    tracker.update("cat", 0.6, frame, image, 2.0, 0.65)
    (left,) = tracker.end()
    assert (left.score, left.familiarity) == (0.9, 0.95)
    (entered,) = tracker.update("cat", 0.7, frame, image, 3.0)
    assert entered.to_json()["familiarity"] is None


def test_one_class_leaves_before_the_next_enters(tracker):
    update(tracker, 1, "cat", 0.9)
    assert [(event.kind, event.label) for event in update(tracker, 4, "dog", 0.8)] == [
        ("left", "cat"),
        ("entered", "dog"),
    ]


def test_at_the_end_the_class_leaves_at_the_time_when_it_was_last_seen(tracker):
    update(tracker, 1, "cat", 0.9)
    update(tracker, 3, "cat", 0.5)
    update(tracker, 7, "cat", 0.6)
    (left,) = tracker.end()
    assert (left.kind, left.at, left.duration_s, left.frame) == ("left", 1007.0, 6.0, 1)
    assert tracker.end() == []


def test_unknown_causes_no_events(tracker):
    assert update(tracker, 1, "unknown", 0.9) == []
    assert tracker.end() == []
