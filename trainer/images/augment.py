"""Augmentation: one affine transform per image, and one change of brightness and colour, on uint8 pixels.

It is used only in training and is never part of a model's graph. All random numbers follow from the seeds that are
passed, so that two runs are equal and a resumed run may start at any epoch. OpenCV releases the GIL; TensorFlow's own
projective transform needs float32 pixels and took five times as long.
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
    """The largest random transforms, in both directions.

    Attributes:
        rotation: radians.
        shift: fraction of the width and of the height.
        shear: radians.
        zoom: fraction of the size, independently for each axis.
        flip: whether half of the images are mirrored horizontally.
        light: fraction of brightness, contrast and saturation; half of it for each colour channel.

    """

    rotation: float
    shift: float
    shear: float
    zoom: float
    flip: bool
    light: float = 0.0


STANDARD = Limits(rotation=math.radians(40), shift=0.2, shear=0.2, zoom=0.2, flip=True)
# For subjects that are upright and centred, such as signs and digits: rotated far or mirrored, their meaning changes.
GENTLE = Limits(rotation=math.radians(10), shift=0.1, shear=0.1, zoom=0.1, flip=False)
# For upright objects at any distance and in any light.
PHOTO = Limits(rotation=math.radians(20), shift=0.15, shear=0.1, zoom=0.35, flip=True, light=0.3)
LIMITS = {"standard": STANDARD, "photo": PHOTO, "gentle": GENTLE, "none": None}
LIGHT = 1  # makes the seed of the light different from that of the transforms

cv2.setNumThreads(1)  # batches are already transformed in parallel


def augment(images: Pixels, seed: Sequence[int], limits: Limits = STANDARD) -> Pixels:
    """Rotate, shift, shear, zoom, flip and relight each image of a batch with its own random values.

    Args:
        images: uint8 of shape (N, H, W, 3).
        seed: whole numbers of at least 0; equal seeds give equal transforms.
        limits: the largest transforms.

    Returns:
        uint8 of the same shape; pixels from outside of an image repeat its nearest edge.

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
    """Write an image's transform to `result`, both uint8 of shape (H, W, 3); `matrix` maps output to input pixels."""
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
        image: uint8 of shape (H, W, 3), RGB; values are clipped to 0..255.
        light: float64 of shape (6,): factors of the mean (brightness), of the distance from the mean (contrast), of
            the distance from grey (saturation), and of red, green and blue.

    """
    brightness, contrast, saturation = light[:3]
    tint = light[3:, None]
    mixed = saturation * np.eye(3) + (1 - saturation) / 3
    offset = (brightness - contrast) * np.mean(cv2.mean(image)[:3])
    cv2.transform(image, tint * np.hstack([contrast * mixed, np.full((3, 1), offset)]), dst=image)


def random_light(count: int, random: np.random.Generator, most: float) -> Floats:
    """Draw `relight`'s factors for N images, within 1 ± `most`, half that for the channels: float64 of shape (N, 6)."""
    light: Floats = 1 + most * random.uniform(-1, 1, (count, 6)) * [1, 1, 1, 0.5, 0.5, 0.5]
    return light


def random_transforms(
    count: int, height: int, width: int, random: np.random.Generator, limits: Limits = STANDARD
) -> Floats:
    """Draw affine transforms.

    Args:
        count: N, the number of images.
        height: of the images in pixels.
        width: of the images in pixels.
        random: the generator.
        limits: the largest transforms.

    Returns:
        float64 of shape (N, 2, 3): for each image the matrix from output to input pixels.

    """
    unit = random.uniform(
        -1, 1, (count, 7)
    ).T  # (7, N); drawn image by image, so that a longer batch begins with the same values
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
    """Turn matrices about the image's centre into affine transforms.

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
