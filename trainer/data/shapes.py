"""A set of images that needs no download: shapes drawn with varied colour, size, angle, noise and background."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw

from edge_runtime.storage.publish import published_folder
from trainer.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Points = NDArray[np.float64]

OVERSAMPLING = 4  # shapes are drawn larger by this factor and reduced, which antialiases their edges
JPEG_SHARE = 0.5
# Light on dark, so that a small network learns outlines from a few hundred images of each shape.
DARK, LIGHT = (10, 140), (120, 255)
MIN_CONTRAST = 70.0  # mean distance over the channels, so that every shape is visible on its background
MAX_ANGLE = math.radians(30)


def _regular(corners: int) -> Points:
    """Return a regular polygon's corners, float64 of shape (corners, 2), on the unit circle."""
    turns = 2 * np.pi * np.arange(corners) / corners
    return np.stack([np.sin(turns), -np.cos(turns)], axis=1)


def _star() -> Points:
    radii: Points = np.where(np.arange(10) % 2, 0.42, 1.0)
    return _regular(10) * radii[:, None]


def _cross() -> Points:
    arm, reach = 0.3, 0.95
    quarter = np.array([(-arm, -reach), (arm, -reach), (arm, -arm)])
    turn = np.array([[0.0, 1.0], [-1.0, 0.0]])
    return np.concatenate([quarter @ np.linalg.matrix_power(turn, k) for k in range(4)])


# Corners on or in the unit circle, float64 of shape (corners, 2).
OUTLINES = {
    "circle": _regular(90),
    "cross": _cross(),
    "square": _regular(4),
    "star": _star(),
    "triangle": _regular(3),
}


def draw(shape: str, size: int, random: np.random.Generator) -> Image.Image:
    """Draw one image.

    Args:
        shape: a key of OUTLINES.
        size: width and height in pixels.
        random: the generator for everything else.

    Returns:
        An RGB image of size x size pixels.

    """
    background = _background(size, random)
    color = _contrasting(background.mean(axis=(0, 1)), random)
    mask = _mask(OUTLINES[shape], size, random)[..., None]
    shade = 1 + random.uniform(-0.25, 0.25) * _gradient(size, random)[..., None]
    pixels = background * (1 - mask) + color * shade * mask
    pixels += random.normal(0, random.uniform(0, 10), pixels.shape)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def _mask(outline: Points, size: int, random: np.random.Generator) -> NDArray[np.float64]:
    """Return the shape's coverage of each pixel, float64 of shape (size, size), 0..1."""
    angle, radius = random.uniform(-MAX_ANGLE, MAX_ANGLE), size * random.uniform(0.27, 0.44)
    stretch = random.uniform(0.85, 1.15)
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    centre = size / 2 + random.uniform(-1, 1, 2) * (size / 2 - radius) * 0.6
    corners = (outline * (stretch, 1 / stretch)) @ turn * radius + centre
    large = Image.new("L", (size * OVERSAMPLING, size * OVERSAMPLING))
    ImageDraw.Draw(large).polygon([(x, y) for x, y in corners * OVERSAMPLING], fill=255)
    return np.asarray(large.reduce(OVERSAMPLING), np.float64) / 255


def _background(size: int, random: np.random.Generator) -> NDArray[np.float64]:
    """Return a plain, graded, striped or cloudy background, float64 of shape (size, size, 3), 0..255."""
    first = random.uniform(*DARK, 3)
    second = first + random.uniform(-50, 50, 3)
    patterns = (_plain, _gradient, _stripes, _clouds)
    mix = patterns[random.integers(len(patterns))](size, random)[..., None]
    background: NDArray[np.float64] = first * (1 - mix) + second * mix
    return background


def _plain(size: int, _: np.random.Generator) -> NDArray[np.float64]:
    return np.zeros((size, size))


def _gradient(size: int, random: np.random.Generator) -> NDArray[np.float64]:
    return _ramp(size, random.uniform(0, 2 * math.pi)) / 2 + 0.5


def _stripes(size: int, random: np.random.Generator) -> NDArray[np.float64]:
    waves = random.uniform(2, 9) * math.pi
    phases = _ramp(size, random.uniform(0, math.pi)) * waves
    stripes: NDArray[np.float64] = np.sin(phases) / 2 + 0.5
    return stripes


def _clouds(size: int, random: np.random.Generator) -> NDArray[np.float64]:
    coarse = Image.fromarray(random.uniform(0, 255, (6, 6)).astype(np.uint8))
    return np.asarray(coarse.resize((size, size), Image.Resampling.BICUBIC), np.float64) / 255


def _ramp(size: int, angle: float) -> NDArray[np.float64]:
    """Return a slope in the direction of `angle`, float64 of shape (size, size), about -1..1."""
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    slope: NDArray[np.float64] = (x * math.cos(angle) + y * math.sin(angle)) / math.sqrt(2)
    return slope


def _contrasting(background: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
    while True:
        color = random.uniform(*LIGHT, 3)
        if (color - background).mean() >= MIN_CONTRAST:
            return color


def write_shapes(folder: Path, *, count: int, size: int, seed: int, overwrite: bool = False) -> None:
    """Write one folder per shape, about half of the images as PNG and half as JPEG.

    Args:
        folder: appears complete or not at all.
        count: images of each shape.
        size: their width and height in pixels.
        seed: equal seeds give equal files.
        overwrite: replace an older set of shapes.

    Raises:
        DataError: the folder exists and may not be replaced, or contains something other than shapes.

    """
    if folder.exists() and not (folder.is_dir() and {entry.name for entry in folder.iterdir()} <= set(OUTLINES)):
        raise DataError(f"{folder}: exists and is not a set of shapes; choose another place")
    with published_folder(folder, overwrite=overwrite, error=DataError) as staging:
        for number, shape in enumerate(OUTLINES):
            (staging / shape).mkdir()
            for index in range(count):
                # Each image has its own generator, so that a larger set begins with the images of a smaller one.
                random = np.random.default_rng((seed, number, index))
                _save(draw(shape, size, random), staging / shape / f"{shape}-{index:05}", random)


def _save(image: Image.Image, stem: Path, random: np.random.Generator) -> None:
    jpeg = random.random() < JPEG_SHARE
    options: dict[str, Any] = {"quality": int(random.integers(75, 96))} if jpeg else {}
    image.save(stem.with_suffix(".jpg" if jpeg else ".png"), **options)
