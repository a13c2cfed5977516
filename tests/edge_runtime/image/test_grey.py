"""The one channel of a grey model is computed from RGB by a defined formula."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from edge_runtime.image.preprocess import preprocess
from edge_runtime.model.spec import ModelSpec


@pytest.mark.parametrize("resize", ["stretch", "crop", "pad"])
def test_grey_is_the_luma_of_bt_601_after_resizing(resize):
    """The integer formula of the bundle format's page, computed here by NumPy."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (40, 60, 3), np.uint8)
    colour = ModelSpec(24, 16, ("a", "b"), "softmax", resize)
    rgb = preprocess(image, colour).astype(np.int64)
    expected = (rgb @ np.array([19595, 38470, 7471]) + 32768) // 65536
    found = preprocess(image, replace(colour, color="gray"))
    assert (found.shape, found.dtype) == ((24, 16, 1), np.uint8)
    assert found[..., 0].tolist() == expected.tolist()


def test_pixels_that_are_grey_keep_their_value():
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    spec = ModelSpec(16, 16, ("a", "b"), "softmax", color="gray")
    assert preprocess(Image.fromarray(levels), spec)[..., 0].tolist() == levels.tolist()
