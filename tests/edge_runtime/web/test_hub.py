from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from edge_runtime.image.upright import Mount
from edge_runtime.live.records import Event, Frame
from edge_runtime.web.hub import Hub


def test_before_the_first_frame_the_state_is_empty():
    hub = Hub()
    state = hub.state()
    assert hub.jpeg() is None
    assert (state.prediction, state.since_ms, state.fps) == (None, None, None)
    assert hub.fresh_s() == float("inf")


def test_rates_and_latencies_use_only_the_last_seconds(make_prediction):
    now = [100.0]
    hub = Hub(clock=lambda: now[0])
    hub.prediction(make_prediction(0, inference_ms=1000.0))
    now[0] += 60
    for number in range(1, 12):
        hub.prediction(make_prediction(number, inference_ms=float(number), dropped=1))
        now[0] += 0.1
    state = hub.state()
    assert state.fps == 10.0
    assert state.latency_ms["inference"] == {"p50": 6.0, "p90": 10.0, "p99": 11.0}
    assert (state.frames, state.dropped) == (12, 11)
    assert state.since_ms == pytest.approx(100)


def test_events_are_counted_and_the_newest_are_kept():
    hub = Hub()
    for number in range(150):
        hub.event(Event("entered", "cam", float(number), "cat", thumbnail=b"x" if number == 149 else None))
    kept = hub.events_after(0)
    assert [item.number for item in kept] == list(range(51, 151))
    assert hub.events_after(149)[0].event.at == 149.0
    assert (hub.thumbnail(150), hub.thumbnail(149), hub.thumbnail(1)) == (b"x", None, None)
    assert hub.state().events == {"entered": 150}


@pytest.mark.parametrize("kind", ["jpeg", "array", "image", "path"])
def test_every_kind_of_frame_is_encoded_as_a_jpeg_of_bounded_size(kind, tmp_path):
    image = Image.new("RGB", (2000, 1000), (10, 200, 30))
    image.save(tmp_path / "x.jpg")
    images = {
        "jpeg": (tmp_path / "x.jpg").read_bytes(),
        "array": np.asarray(image),
        "image": image,
        "path": tmp_path / "x.jpg",
    }
    hub = Hub()
    hub.frame(Frame("cam", 7, images[kind], 0.0, 0.0))
    number, encoded = hub.jpeg()
    shown = Image.open(io.BytesIO(encoded))
    assert number == 7
    assert shown.size == (720, 360)
    assert abs(shown.getpixel((100, 100))[1] - 200) < 8
    assert image.size == (2000, 1000)


def test_a_frame_is_encoded_once_for_all_viewers(make_frame):
    hub = Hub()
    hub.frame(make_frame(1))
    assert hub.jpeg()[1] is hub.jpeg()[1]
    hub.frame(make_frame(2))
    assert hub.jpeg()[0] == 2


def test_restored_events_come_first_and_are_not_counted():
    hub = Hub()
    hub.restore([Event("entered", "cam", 1.0, "cat", thumbnail=b"old"), Event("left", "cam", 2.0, "cat")])
    hub.event(Event("entered", "cam", 3.0, "dog"))
    assert [(item.number, item.event.at) for item in hub.events_after(0)] == [(1, 1.0), (2, 2.0), (3, 3.0)]
    assert hub.thumbnail(1) == b"old"
    assert hub.state().events == {"entered": 1}


def test_the_size_of_the_frame_is_that_before_it_is_reduced(tmp_path):
    image = Image.new("RGB", (2000, 1000))
    exif = image.getexif()
    exif[0x0112] = 6  # turned by 90 degrees
    image.save(tmp_path / "x.jpg", exif=exif)
    hub = Hub()
    hub.frame(Frame("cam", 7, tmp_path / "x.jpg", 0.0, 0.0), ("dog", 2, 3))
    hub.jpeg()
    assert hub.state().frame_size == (1000, 2000)
    assert hub.state().candidate == ("dog", 2, 3)


def test_a_source_is_alive_by_its_state_and_not_by_the_newest_decision(make_prediction):
    now_s = [100.0]
    hub = Hub(clock=lambda: now_s[0])
    assert (hub.alive_s(), hub.state().alive_ms) == (float("inf"), None)
    hub.prediction(make_prediction())
    for state, alive_s in (("unchanged", 0.0), ("repeated", 10.0), ("stale", 20.0), ("fresh", 0.0), ("ended", 10.0)):
        now_s[0] += 10.0
        hub.state_changed(state)
        assert (hub.alive_s(), hub.state().alive_ms) == (alive_s, alive_s * 1000)


@pytest.mark.parametrize("form", ["array", "jpeg", "png"])
def test_a_picture_is_shown_as_its_camera_is_mounted(form, tmp_path):
    image = Image.new("RGB", (64, 48), (255, 0, 0))
    image.paste((0, 0, 255), (0, 0, 64, 24))  # blue above red
    path = tmp_path / "image"
    image.save(path, "JPEG" if form == "jpeg" else "PNG")
    source = np.asarray(image) if form == "array" else path.read_bytes()
    hub = Hub()
    hub.frame(Frame("camera", 0, source, 0.0, 0.0, mount=Mount(90)))
    shown = Image.open(io.BytesIO(hub.jpeg()[1]))
    assert (shown.size, hub.state().frame_size) == ((48, 64), (48, 64))
    assert shown.getpixel((5, 30))[0] > 200  # red to the left
