"""Draw images that belong to no class: empty scenes, and photographs whose parts are shuffled.

They measure whether a model recognizes what it was not trained on. They are never used for training.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from edge_runtime.image.preprocess import preprocess

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from edge_runtime.image.preprocess import Pixels
    from edge_runtime.model.spec import ModelSpec

    Light = NDArray[np.float64]

WIDTH, HEIGHT = 640, 480
SCENES = ("wall", "night", "glare", "clutter", "blur")
TILES = 4  # in each direction, of a shuffled photograph


def draw_scenes(count: int, seed: int) -> Iterator[Image.Image]:
    """Yield drawings of what a camera sees when nothing is there, RGB, 640x480.

    The kinds of SCENES follow each other: a wall with uneven light; the same at night; with glare; clutter of coloured
    shapes; the same out of focus. All have sensor noise.
    """
    random = np.random.default_rng(seed)
    for index in range(count):
        kind = SCENES[index % len(SCENES)]
        light = _wall(random)
        if kind == "night":
            light = random.uniform(0, 12) + light * random.uniform(0, 0.06)
        if kind == "glare":
            light = light + 255 * _spot(random, random.uniform(0.005, 0.1), 0.0, 1.0)
        image = Image.fromarray(np.clip(light, 0, 255).astype(np.uint8))
        if kind in {"clutter", "blur"}:
            _draw_shapes(image, random)
        if kind == "blur":
            image = image.filter(ImageFilter.GaussianBlur(float(random.uniform(2, 30))))
        noise = random.normal(0, random.choice([2.0, 6.0, 15.0]), (HEIGHT, WIDTH, 3))
        yield Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))


def drawn_pixels(count: int, spec: ModelSpec, seed: int) -> Pixels:
    """Return drawn scenes as model input, uint8 of shape (count, H, W, 3)."""
    return np.stack([preprocess(scene, spec) for scene in draw_scenes(count, seed)])


def shuffled(pixels: Pixels, seed: int) -> Pixels:
    """Return each image cut into 4x4 parts in a random order, uint8 of the same shape (N, H, W, 3).

    Colours and textures stay, the objects do not. Rows and columns that do not divide by 4 stay where they are.
    """
    random = np.random.default_rng(seed)
    height, width = pixels.shape[1] // TILES, pixels.shape[2] // TILES
    result = pixels.copy()
    places = [(row * height, column * width) for row in range(TILES) for column in range(TILES)]
    for before, after in zip(pixels, result, strict=True):
        for (top, left), index in zip(places, random.permutation(len(places)), strict=True):
            from_top, from_left = places[index]
            after[top : top + height, left : left + width] = before[
                from_top : from_top + height, from_left : from_left + width
            ]
    return result


def _wall(random: np.random.Generator) -> Light:
    """Return the light of a wall, shape (HEIGHT, WIDTH, 3), in 0..255."""
    colour = random.uniform(20, 230, 3)
    muted = 0.7 * colour.mean() + 0.3 * colour
    return np.asarray(muted * (0.4 + 0.6 * _spot(random, random.uniform(0.3, 3), -0.3, 1.3)))


def _spot(random: np.random.Generator, spread: float, low: float, high: float) -> Light:
    """Return light that falls off from a point, shape (HEIGHT, WIDTH, 1), in 0..1; distances are parts of the image."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    x, y = random.uniform(low, high, 2)
    distance = (columns / WIDTH - x) ** 2 + (rows / HEIGHT - y) ** 2
    return np.asarray(np.exp(-distance / spread)[..., np.newaxis])


def _draw_shapes(image: Image.Image, random: np.random.Generator) -> None:
    draw = ImageDraw.Draw(image)
    for _ in range(int(random.integers(3, 25))):
        x, y = random.uniform(0, WIDTH), random.uniform(0, HEIGHT)
        width, height = random.uniform(10, 250, 2)
        red, green, blue = (int(value) for value in random.uniform(0, 255, 3))
        box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        shape = draw.ellipse if random.random() < 0.5 else draw.rectangle
        shape(box, fill=(red, green, blue))
