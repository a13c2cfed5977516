"""Freshness: repeated and damaged frames are rejected, and the delay of a frame is measured."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from edge_runtime.live.freshness import Skip, check
from edge_runtime.live.records import Frame
from edge_runtime.live.sources.lag import WINDOW_S, Lag


@pytest.fixture(scope="module")
def photo():
    return Image.effect_noise((160, 120), 80).convert("RGB")


def jpeg(image, **settings):
    stream = io.BytesIO()
    image.save(stream, "JPEG", **settings)
    return stream.getvalue()


def frame(image):
    return Frame("camera", 0, image, 0.0, 0.0)


def test_a_new_and_complete_picture_passes(photo):
    one, other = frame(jpeg(photo)), frame(jpeg(photo, comment="2"))
    assert check(one, None) is None
    assert check(other, one) is None
    assert check(frame(jpeg(photo) + bytes(100)), one) is None


def test_a_repeated_picture_is_not_new(photo):
    one = frame(jpeg(photo))
    assert check(frame(jpeg(photo)), one) == Skip("repeated")
    pixels = np.zeros((40, 40, 3), np.uint8)
    assert check(frame(pixels), None) is None
    assert check(frame(pixels.copy()), frame(pixels)) == Skip("repeated")
    changed = pixels.copy()
    changed[33, 7] = 1
    assert check(frame(changed), frame(pixels)) is None
    assert check(frame(pixels[:20]), frame(pixels)) is None


def test_equal_pixels_of_a_stream_that_encodes_differences_are_new():
    """A dark and still scene changes too little for an H.264 encoder to send anything."""
    pixels = np.zeros((40, 40, 3), np.uint8)
    coded = [replace(frame(pixels.copy()), is_difference_coded=True) for _ in range(2)]
    assert check(coded[1], coded[0]) is None


def test_a_damaged_picture_has_its_reason(photo):
    assert str(check(frame(jpeg(photo)[:-500]), None)) == "damaged: no end-of-image marker"
    assert str(check(replace(frame(b""), flaw="its packet was lost"), None)) == "damaged: its packet was lost"


def test_a_jpeg_that_would_take_too_much_memory_is_not_passed_on():
    huge = bytearray(jpeg(Image.new("RGB", (16, 16))))
    at = huge.index(b"\xff\xc0") + 5
    huge[at : at + 4] = (60_000).to_bytes(2, "big") * 2
    assert "over the limit of 64 million" in str(check(frame(bytes(huge)), None))


def test_lag_is_the_delay_relative_to_the_fastest_frame():
    lag = Lag()
    assert lag.seconds(10.0, 0.0) == 0
    assert lag.seconds(12.5, 1.0) == 1.5
    assert lag.seconds(12.5, 2.0) == 0.5
    assert lag.seconds(13.0, 3.5) == 0  # the fastest frame so far
    assert lag.seconds(14.0, 4.0) == 0.5


def test_lag_follows_a_clock_that_drifts():
    """If a camera's clock loses a millisecond per second, the error is at most the drift of two windows."""
    lag = Lag()
    delays = [lag.seconds(second * 1.001, float(second)) for second in range(1000)]
    assert max(delays) < 2 * WINDOW_S * 0.001 + 0.002
