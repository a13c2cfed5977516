from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from edge_runtime.live.freshness import is_new, is_whole_jpeg
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
def test_a_whole_jpeg_of_any_kind_is_whole(photo, settings):
    assert is_whole_jpeg(jpeg(photo, **settings))


def test_padding_after_the_end_is_no_damage(photo):
    assert is_whole_jpeg(jpeg(photo) + b"\x00\x00\r\n")


def test_a_jpeg_without_its_end_or_beginning_is_not_whole(photo):
    whole = jpeg(photo)
    assert not is_whole_jpeg(whole[:-2])
    assert not is_whole_jpeg(whole[: len(whole) // 2])
    assert not is_whole_jpeg(whole[2:])
    assert not is_whole_jpeg(b"")


def test_damage_in_the_compressed_data_is_seen_where_pillow_sees_none(photo):
    whole = jpeg(photo)
    damaged = whole[:2000] + b"\xff\x01" + whole[2002:]
    Image.open(io.BytesIO(damaged)).load()  # the decoder makes a picture up and says nothing
    assert not is_whole_jpeg(damaged)


def test_the_same_picture_again_is_not_new(photo):
    one, other = frame(jpeg(photo)), frame(jpeg(photo, comment="2"))
    assert is_new(one, None)
    assert is_new(other, one)
    assert not is_new(frame(jpeg(photo)), one)
    pixels = frame(np.zeros((4, 4, 3), np.uint8))
    assert is_new(pixels, None)
    assert not is_new(pixels, pixels)


def test_lag_is_the_delay_beyond_the_promptest_frame():
    lag = Lag()
    assert lag.seconds(10.0, 0.0) == 0
    assert lag.seconds(12.5, 1.0) == 1.5
    assert lag.seconds(12.5, 2.0) == 0.5
    assert lag.seconds(13.0, 3.5) == 0  # prompter than any before: the new measure
    assert lag.seconds(14.0, 4.0) == 0.5


def test_lag_follows_a_clock_that_drifts():
    """A camera whose clock loses a millisecond a second never seems later than two windows' worth."""
    lag = Lag()
    late = [lag.seconds(second * 1.001, float(second)) for second in range(1000)]
    assert max(late) < 2 * WINDOW_S * 0.001 + 0.002
