"""Freshness: repeated and damaged frames are rejected, and the delay of a frame is measured."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from edge_runtime.live.freshness import is_complete_jpeg, is_new
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


@pytest.mark.parametrize(
    "settings", [{}, {"progressive": True}, {"quality": 20, "subsampling": 0}, {"restart_marker_rows": 1}], ids=str
)
def test_every_kind_of_undamaged_jpeg_is_complete(photo, settings):
    assert is_complete_jpeg(jpeg(photo, **settings))


def test_a_jpeg_with_padding_after_its_end_is_complete(photo):
    assert is_complete_jpeg(jpeg(photo) + b"\x00\x00\r\n")


def test_a_jpeg_without_its_end_or_start_is_not_complete(photo):
    complete = jpeg(photo)
    assert not is_complete_jpeg(complete[:-2])
    assert not is_complete_jpeg(complete[: len(complete) // 2])
    assert not is_complete_jpeg(complete[2:])
    assert not is_complete_jpeg(b"")


def test_damage_in_the_compressed_data_is_detected_although_pillow_decodes_it(photo):
    complete = jpeg(photo)
    damaged = complete[:2000] + b"\xff\x01" + complete[2002:]
    Image.open(io.BytesIO(damaged)).load()  # no error
    assert not is_complete_jpeg(damaged)


def test_a_repeated_picture_is_not_new(photo):
    one, other = frame(jpeg(photo)), frame(jpeg(photo, comment="2"))
    assert is_new(one, None)
    assert is_new(other, one)
    assert not is_new(frame(jpeg(photo)), one)
    pixels = frame(np.zeros((4, 4, 3), np.uint8))
    assert is_new(pixels, None)
    assert not is_new(pixels, pixels)


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
