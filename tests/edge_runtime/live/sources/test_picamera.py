"""The Raspberry Pi camera, tested with a stand-in for picamera2; see tests/doubles/pi_camera.py."""

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
    """Install the stand-in as picamera2 and return its camera class."""
    module = types.ModuleType("picamera2")
    module.__spec__ = importlib.machinery.ModuleSpec("picamera2", None)
    module.Picamera2 = pi_camera.Picamera2
    monkeypatch.setitem(sys.modules, "picamera2", module)
    monkeypatch.setattr(pi_camera.Picamera2, "absent", False)
    return pi_camera.Picamera2


@pytest.mark.parametrize("is_pi_5", [False, True])
def test_frames_are_rgb_in_the_requested_size(library, bundle, monkeypatch, is_pi_5):
    monkeypatch.setattr(picamera, "_is_pi_5", lambda: is_pi_5)
    with open_source("picamera?size=320x240&fps=15") as source:
        frame = next(iter(source))
        configuration = library.latest.configuration
    requested = {"size": (320, 240), "format": "BGR888"}
    assert configuration["lores" if is_pi_5 else "main"] == requested
    assert configuration["controls"] == {"FrameRate": 15.0}
    assert frame.image.shape == (240, 320, 3)
    assert Classifier.open(bundle, threads=1).classify(frame.image).label == "red"
    assert not library.latest.running


def test_the_age_of_a_frame_is_computed_from_the_sensor_timestamp(library):
    with open_source("picamera") as source:
        frame = next(iter(source))
        assert 0.05 <= time.monotonic() - frame.captured_s < 5


def test_a_repeated_frame_is_yielded_once(library):
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


def test_a_missing_or_failing_camera_is_an_error(library, monkeypatch):
    with open_source("picamera") as source:
        frames = iter(source)
        next(frames)
        library.latest.broken = True
        with pytest.raises(SourceError, match="picamera: cannot be read: camera frontend has timed out"):
            next(frames)
    monkeypatch.setattr(library, "absent", True)
    with pytest.raises(SourceError, match="picamera: cannot be opened"), open_source("picamera"):
        pass


def test_without_picamera2_the_error_names_the_package_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "picamera2", None)
    with pytest.raises(SourceError, match="sudo apt install python3-picamera2"):
        open_source("picamera")
