"""Augmentation, the article's or another: one affine transform an image in space, and one in colour, on bytes.

It belongs to training alone and is never part of a model's graph. Everything random follows from the seeds that are
passed, so two runs are equal and a later one may start at any epoch. OpenCV lets go of the GIL; TensorFlow's own
projective transform works on float32 pixels and took five times as long.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge_runtime.image.preprocess import Pixels

    Floats = NDArray[np.float64]


class Limits(NamedTuple):
    """How far images are transformed at random, both ways.

    Attributes:
        rotation: radians.
        shift: share of the width and of the height.
        shear: radians.
        zoom: share of the size, each axis by itself.
        flip: whether every other image is mirrored left to right.
        light: share of brightness, contrast and saturation; of each colour channel by itself, half of it.

    """

    rotation: float
    shift: float
    shear: float
    zoom: float
    flip: bool
    light: float = 0.0


ARTICLE = Limits(rotation=math.radians(40), shift=0.2, shear=0.2, zoom=0.2, flip=True)
# For what comes upright and centred, such as signs and digits: turned far or mirrored, they are others.
GENTLE = Limits(rotation=math.radians(10), shift=0.1, shear=0.1, zoom=0.1, flip=False)
# For things that stand upright, at any distance and in any light.
PHOTO = Limits(rotation=math.radians(20), shift=0.15, shear=0.1, zoom=0.35, flip=True, light=0.3)
LIMITS = {"article": ARTICLE, "photo": PHOTO, "gentle": GENTLE, "none": None}
LIGHT = 1  # sets the seed of the light apart from that of the transforms

cv2.setNumThreads(1)  # batches are transformed in parallel already


def augment(images: Pixels, seed: Sequence[int], limits: Limits = ARTICLE) -> Pixels:
    """Rotate, shift, shear, zoom, flip and light each image of a batch in its own random way.

    Args:
        images: uint8 of shape (N, H, W, 3).
        seed: whole numbers of at least 0; equal seeds give equal transforms.
        limits: how far.

    Returns:
        uint8 of the same shape; what comes from outside an image repeats its nearest edge.

    """
    count, height, width = images.shape[:3]
    results = np.empty_like(images)
    matrices = random_transforms(count, height, width, np.random.default_rng(seed), limits)
    for image, result, matrix in zip(images, results, matrices, strict=True):
        transform(image, matrix, result)
    if limits.light:
        for result, light in zip(
            results, random_light(count, np.random.default_rng((*seed, LIGHT)), limits.light), strict=True
        ):
            relight(result, light)
    return results


def transform(image: Pixels, matrix: Floats, result: Pixels) -> None:
    """Fill `result` by an image's transform, both uint8 of shape (H, W, 3); `matrix` maps output to input pixels."""
    cv2.warpAffine(
        image,
        matrix,
        (image.shape[1], image.shape[0]),
        dst=result,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )


def relight(image: Pixels, light: Floats) -> None:
    """Change an image's colours in place.

    Args:
        image: uint8 of shape (H, W, 3), RGB; what leaves 0..255 is clipped.
        light: float64 of shape (6,): factors of the mean (brightness), of the distance from the mean (contrast), of
            the distance from grey (saturation), and of red, green and blue.

    """
    brightness, contrast, saturation = light[:3]
    tint = light[3:, None]
    mixed = saturation * np.eye(3) + (1 - saturation) / 3
    offset = (brightness - contrast) * np.mean(cv2.mean(image)[:3])
    cv2.transform(image, tint * np.hstack([contrast * mixed, np.full((3, 1), offset)]), dst=image)


def random_light(count: int, random: np.random.Generator, most: float) -> Floats:
    """Draw `relight`'s factors for N images, within 1 ± `most`, of the channels half that: float64 of shape (N, 6)."""
    light: Floats = 1 + most * random.uniform(-1, 1, (count, 6)) * [1, 1, 1, 0.5, 0.5, 0.5]
    return light


def random_transforms(
    count: int, height: int, width: int, random: np.random.Generator, limits: Limits = ARTICLE
) -> Floats:
    """Draw transforms.

    Args:
        count: N, how many.
        height: of the images.
        width: of the images.
        random: decides them.
        limits: how far they go.

    Returns:
        float64 of shape (N, 2, 3): for each image the matrix from output to input pixels.

    """
    unit = random.uniform(-1, 1, (count, 7)).T  # (7, N); drawn image by image, so a longer batch begins alike
    matrices = compose(
        angle=unit[0] * limits.rotation,
        shear=unit[1] * limits.shear,
        zoom_x=(1 + unit[2] * limits.zoom) * np.where((unit[6] < 0) & limits.flip, -1.0, 1.0),
        zoom_y=1 + unit[3] * limits.zoom,
    )
    shifts = np.stack([unit[4] * limits.shift * width, unit[5] * limits.shift * height], axis=-1)  # (N, 2)
    return about_centre(matrices, shifts, height, width)


def compose(*, angle: Floats, shear: Floats, zoom_x: Floats, zoom_y: Floats) -> Floats:
    """Multiply rotation, shear and zoom, each float64 of shape (N,), to matrices of shape (N, 2, 2)."""
    rows = (
        (np.cos(angle) * zoom_x, -np.sin(angle + shear) * zoom_y),
        (np.sin(angle) * zoom_x, np.cos(angle + shear) * zoom_y),
    )
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def about_centre(matrices: Floats, shifts: Floats, height: int, width: int) -> Floats:
    """Turn matrices about the image's centre into affine ones.

    Args:
        matrices: float64 of shape (N, 2, 2), acting on (x, y).
        shifts: float64 of shape (N, 2), in pixels.
        height: of the images.
        width: of the images.

    Returns:
        float64 of shape (N, 2, 3).

    """
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    offsets = centre + shifts - matrices @ centre  # (N, 2)
    return np.concatenate([matrices, offsets[..., None]], axis=-1)
