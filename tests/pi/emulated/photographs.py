"""Photographs for the devices: drawn shapes as cameras and phones would store them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import ExifTags, Image

from trainer.shapes import OUTLINES, draw

if TYPE_CHECKING:
    from pathlib import Path

    from edge_runtime.preprocess import Pixels

DRAWN = 480
LARGE, CAMERA = (1440, 1080), (640, 480)
QUARTER_TURN = 6  # the EXIF orientation of a phone held upright


def write_photographs(folder: Path) -> list[Path]:
    """Write a large JPEG, a JPEG that lies on its side, a PNG, a small WebP and a camera's JPEG."""
    folder.mkdir()
    shapes = dict(zip(OUTLINES, _drawn(seed=11), strict=True))
    sideways = Image.Exif()
    sideways[ExifTags.Base.Orientation] = QUARTER_TURN
    shapes["circle"].resize(LARGE).save(folder / "circle.jpg", quality=90)
    shapes["cross"].resize(LARGE).transpose(Image.Transpose.ROTATE_90).save(folder / "cross.jpg", exif=sideways)
    shapes["square"].save(folder / "square.png")
    shapes["star"].resize((200, 150)).save(folder / "star.webp", lossless=True)
    shapes["triangle"].resize(CAMERA).save(folder / "triangle.jpg")
    return sorted(folder.iterdir())


def write_frames(folder: Path, side: int) -> dict[str, Path]:
    """Write what the cost of a frame is counted with: a photograph, a camera's pixels, pixels of the model's size."""
    folder.mkdir()
    picture = _drawn(seed=12)[0]
    files = {
        "1080p photograph": folder / "photograph.jpg",
        "640x480 camera": folder / "camera.npy",
        "model's size": folder / "own.npy",
    }
    picture.resize((1920, 1080)).save(files["1080p photograph"], quality=90)
    np.save(files["640x480 camera"], _pixels(picture, CAMERA))
    np.save(files["model's size"], _pixels(picture, (side, side)))
    return files


def _drawn(seed: int) -> list[Image.Image]:
    random = np.random.default_rng(seed)
    return [draw(shape, DRAWN, random) for shape in OUTLINES]


def _pixels(picture: Image.Image, size: tuple[int, int]) -> Pixels:
    return np.asarray(picture.resize(size))
