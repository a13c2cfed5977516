"""Draw photographs whose label is their main colour, as files in several formats.

The tests compare the decisions of two machines. The classes are therefore easy to separate, even for a network with
random weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import ExifTags, Image, ImageDraw

if TYPE_CHECKING:
    from pathlib import Path

    from edge_runtime.image.preprocess import Pixels

COLORS = {"blue": (30, 50, 220), "green": (35, 190, 40), "red": (215, 35, 30), "yellow": (230, 215, 40)}
VARIATION = 25
LARGE, CAMERA, SMALL = (1440, 1080), (640, 480), (200, 150)
KINDS = ("1080p photograph", "640x480 camera", "model's size")  # the frames whose cost is counted
QUARTER_TURN = 6  # the EXIF orientation of a phone that is held upright


def draw(color: str, size: tuple[int, int], random: np.random.Generator) -> Image.Image:
    """Draw a picture of one colour with a brightness gradient and a dark ellipse."""
    width, height = size
    light = np.linspace(*random.uniform(0.6, 1.1, 2), width)[None, :, None]  # (1, W, 1)
    pixels = (np.array(COLORS[color]) + random.uniform(-VARIATION, VARIATION, 3)) * light
    picture = Image.fromarray(np.broadcast_to(pixels.clip(0, 255), (height, width, 3)).astype(np.uint8))
    left, top = random.uniform(0, 0.7, 2) * size
    ImageDraw.Draw(picture).ellipse((left, top, left + width / 4, top + height / 4), fill=(25, 25, 25))
    return picture


def write_training_set(folder: Path, side: int, count: int) -> None:
    """Write `count` square pictures of each colour, half PNG and half JPEG."""
    random = np.random.default_rng(1)
    for color in COLORS:
        (folder / color).mkdir(parents=True)
        for number in range(count):
            draw(color, (side, side), random).save(folder / color / f"{number:03}{('.png', '.jpg')[number % 2]}")


def write_photographs(folder: Path) -> list[Path]:
    """Write a large JPEG, a large JPEG with an EXIF rotation, a PNG of a camera's size and a small WebP."""
    folder.mkdir()
    random = np.random.default_rng(2)
    sideways = Image.Exif()
    sideways[ExifTags.Base.Orientation] = QUARTER_TURN
    draw("blue", LARGE, random).save(folder / "blue.jpg", quality=90)
    draw("green", LARGE, random).transpose(Image.Transpose.ROTATE_90).save(folder / "green.jpg", exif=sideways)
    draw("red", CAMERA, random).save(folder / "red.png")
    draw("yellow", SMALL, random).save(folder / "yellow.webp", lossless=True)
    return sorted(folder.iterdir())


def write_frames(folder: Path, side: int) -> dict[str, Path]:
    """Write the frames whose cost is counted, by kind: a JPEG, and pixels of a camera's and the model's size."""
    random = np.random.default_rng(3)
    photograph, camera, model_size = files = (
        folder / "photograph.jpg",
        folder / "camera.npy",
        folder / "model_size.npy",
    )
    draw("green", (1920, 1080), random).save(photograph, quality=90)
    np.save(camera, _pixels(random, CAMERA))
    np.save(model_size, _pixels(random, (side, side)))
    return dict(zip(KINDS, files, strict=True))


def _pixels(random: np.random.Generator, size: tuple[int, int]) -> Pixels:
    return np.asarray(draw("green", size, random))
