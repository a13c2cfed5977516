"""The content of a frame as a file: unscaled, upright, and in the camera's own encoding if possible."""

from __future__ import annotations

import io
from itertools import product

import numpy as np
import pytest
from PIL import Image

from edge_runtime.collection.looks import average_hash, distances, is_near_repeat, look_of
from edge_runtime.collection.pictures import picture_of
from edge_runtime.errors import SourceError
from edge_runtime.image.preprocess import load_image
from edge_runtime.image.upright import Mount


def decoded(content):
    return np.asarray(load_image(content, None), np.int16)


def test_a_cameras_jpeg_keeps_its_bytes(make_frame, make_jpeg, make_scene):
    content = make_jpeg(make_scene(1))
    picture = picture_of(make_frame(image=content))
    assert (picture.content, picture.suffix) == (content, "jpg")


@pytest.mark.parametrize("mount", [Mount(*pair) for pair in product((0, 90, 180, 270), ("", "horizontal", "vertical"))])
def test_a_mounted_cameras_jpeg_is_turned_without_encoding_it_again(mount, make_frame, make_jpeg, make_scene):
    content = make_jpeg(make_scene(2, (64, 32)))
    picture = picture_of(make_frame(image=content, mount=mount))
    expected = np.asarray(mount.turn(Image.open(io.BytesIO(content)).convert("RGB")), np.int16)
    assert np.array_equal(decoded(picture.content), expected)
    assert len(picture.content) - len(content) == (0 if mount == Mount() else 36)
    assert np.array_equal(picture.look, look_of(Image.fromarray(expected.astype(np.uint8))))


def test_a_jpeg_with_an_orientation_of_its_own_is_turned_twice(make_frame, make_scene):
    exif = Image.Exif()
    exif[0x0112] = 6
    stream = io.BytesIO()
    image = Image.fromarray(make_scene(3))
    image.save(stream, "JPEG", exif=exif, quality=95, subsampling=0)
    picture = picture_of(make_frame(image=stream.getvalue(), mount=Mount(180)))
    expected = np.asarray(image.transpose(Image.Transpose.ROTATE_90), np.int16)
    assert np.abs(decoded(picture.content) - expected).mean() < 3


def test_pixels_are_stored_at_full_size(make_frame, make_scene):
    pixels = make_scene(4, (333, 222))
    picture = picture_of(make_frame(image=pixels))
    assert decoded(picture.content).shape == (222, 333, 3)
    assert np.abs(decoded(picture.content) - pixels).mean() < 3


def test_the_region_of_the_turned_picture_is_stored(make_frame, make_jpeg, make_scene):
    pixels = make_scene(5)
    picture = picture_of(make_frame(image=make_jpeg(pixels), mount=Mount(90)), (8, 16, 24, 32))
    turned = np.rot90(pixels, -1).astype(np.int16)
    assert np.abs(decoded(picture.content) - turned[16:48, 8:32]).mean() < 6


@pytest.mark.parametrize("image", [b"", b"\xff\xd8no jpeg", b"text"])
def test_what_cannot_be_decoded_is_refused(make_frame, image):
    with pytest.raises(SourceError):
        picture_of(make_frame(image=image))


def test_noise_is_a_near_repeat_and_a_small_change_is_not(make_scene):
    pixels = make_scene(6, (320, 240)).astype(np.int16)
    noise = np.random.default_rng(1).normal(0, 6, pixels.shape)
    noisy = (pixels + noise).clip(0, 255).astype(np.uint8)
    changed = pixels.copy()
    changed[100:130, 100:130] += np.int16(60)  # 1.2% of the picture
    first = look_of(Image.fromarray(pixels.astype(np.uint8)))
    assert is_near_repeat(look_of(Image.fromarray(noisy)), first)
    assert not is_near_repeat(look_of(Image.fromarray(changed.clip(0, 255).astype(np.uint8))), first)


def test_the_average_hash_is_bright_cells_against_their_mean():
    pixels = np.zeros((80, 80), np.uint8)
    pixels[:10, 10:20] = 255  # the second cell of the first row
    value = average_hash(look_of(Image.fromarray(pixels)))
    assert value == 1 << 62
    assert distances(value, np.array([0, 1 << 62, 2**64 - 1], np.uint64)).tolist() == [1, 0, 63]
