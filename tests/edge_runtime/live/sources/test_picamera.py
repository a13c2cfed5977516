"""Against a stand-in of picamera2's documented API, not the library: what is asked of it, and what is made of it."""

from __future__ import annotations

import importlib.machinery
import sys
import time
import types

import pi_camera
import pytest

from edge_runtime.classify.classifier import Classifier
from edge_runtime.errors import SourceError
from edge_runtime.live.sources import picamera
from edge_runtime.live.sources.opening import open_source


@pytest.fixture
def library(monkeypatch):
    """Give the stand-in's camera class, installed as picamera2."""
    module = types.ModuleType("picamera2")
    module.__spec__ = importlib.machinery.ModuleSpec("picamera2", None)
    module.Picamera2 = pi_camera.Picamera2
    monkeypatch.setitem(sys.modules, "picamera2", module)
    monkeypatch.setattr(pi_camera.Picamera2, "absent", False)
    return pi_camera.Picamera2


@pytest.mark.parametrize("is_pi_5", [False, True])
def test_red_comes_as_red_at_the_size_wanted(library, bundle, monkeypatch, is_pi_5):
    monkeypatch.setattr(picamera, "_is_pi_5", lambda: is_pi_5)
    with open_source("picamera?size=320x240&fps=15") as source:
        frame = next(iter(source))
        configuration = library.latest.configuration
    wanted = {"size": (320, 240), "format": "BGR888"}
    assert configuration["lores" if is_pi_5 else "main"] == wanted
    assert configuration["controls"] == {"FrameRate": 15.0}
    assert frame.image.shape == (240, 320, 3)
    assert Classifier.open(bundle, threads=1).classify(frame.image).label == "red"
    assert not library.latest.running


def test_a_frames_age_is_the_sensors(library):
    with open_source("picamera") as source:
        frame = next(iter(source))
        assert 0.05 <= time.monotonic() - frame.captured_s < 5


def test_a_frame_that_the_camera_gives_twice_is_given_once(library):
    with open_source("picamera") as source:
        frames = iter(source)
        next(frames)
        camera = library.latest
        camera.same_stamp = True
        calls = []
        take = camera.capture_request

        def count():
            calls.append(1)
            camera.same_stamp = len(calls) < 4
            return take()

        camera.capture_request = count
        assert next(frames).number == 4


def test_a_camera_that_is_not_there_or_fails_is_told(library, monkeypatch):
    with open_source("picamera") as source:
        frames = iter(source)
        next(frames)
        library.latest.broken = True
        with pytest.raises(SourceError, match="picamera: cannot be read: camera frontend has timed out"):
            next(frames)
    monkeypatch.setattr(library, "absent", True)
    with pytest.raises(SourceError, match="picamera: cannot be opened"), open_source("picamera"):
        pass


def test_without_the_library_the_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "picamera2", None)
    with pytest.raises(SourceError, match="sudo apt install python3-picamera2"):
        open_source("picamera")
