"""Near-duplicates are found by a hash and confirmed by their pixels."""

import io
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from trainer.data.near_duplicates import NEAR, is_same_picture, perceptual_hash
from trainer.data.shapes import OUTLINES, draw


def drawing(shape, index, size=64):
    """Return an image of the sample set that `edge-train shapes` draws."""
    return draw(shape, size, np.random.default_rng((0, list(OUTLINES).index(shape), index)))


def compressed(image, quality=30):
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return Image.open(stream)


COPIES = {
    "compressed": compressed,
    "halved": lambda image: image.resize((32, 32)).resize(image.size),
    "lighter": lambda image: ImageEnhance.Brightness(image).enhance(1.1),
    "darker": lambda image: ImageEnhance.Brightness(image).enhance(0.8),
    "paler": lambda image: ImageEnhance.Color(image).enhance(0.8),
    "grey": lambda image: image.convert("L").convert("RGB"),
    "cropped": lambda image: image.crop((1, 1, 63, 63)).resize(image.size),
}


@pytest.mark.parametrize("change", COPIES.values(), ids=COPIES)
def test_a_changed_copy_is_the_same_picture(change):
    image = drawing("star", 3)
    assert is_same_picture(np.asarray(image), np.asarray(change(image)))


# All of them have hashes that differ in at most 4 bits.
ALIKE = [("square", 26, 60), ("square", 15, 326), ("cross", 341, 470), ("circle", 196, 307), ("triangle", 88, 256)]


@pytest.mark.parametrize(("shape", "first", "second"), ALIKE)
def test_different_drawings_of_one_shape_are_different_pictures(shape, first, second):
    one, other = (np.asarray(drawing(shape, index)) for index in (first, second))
    assert (perceptual_hash(one) ^ perceptual_hash(other)).bit_count() <= NEAR + 2  # JPEG changes some bits
    assert not is_same_picture(one, other)


def test_a_plain_picture_is_no_copy_of_another_one():
    plain = np.full((64, 64, 3), 90, np.uint8)
    assert not is_same_picture(plain, np.asarray(drawing("star", 3)))
    assert is_same_picture(plain, plain + np.uint8(5))


def test_photographs_of_the_same_kind_are_different_pictures(shared):
    folder = Path(shared("data/cats-dogs"))
    photos = [
        np.asarray(Image.open(path).convert("RGB").resize((96, 96))) for path in sorted(folder.glob("cat/*"))[:40]
    ]
    assert not any(is_same_picture(one, other) for one, other in pairwise(photos))
