"""The article's augmentation, a whole batch at a time: one projective transform an image, applied by one op.

It belongs to training alone and is never part of a model's graph. Everything random follows from the seed, the
epoch and the batch's number, so two runs are equal and a later one may start at any epoch.
"""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

# TensorFlow ships no types; these are tf.Tensor.
Tensor = Any

ROTATION = math.radians(40)
SHIFT = 0.2  # of the width and of the height
SHEAR = 0.2  # radians, 11 degrees
ZOOM = 0.2


def augment(images: Tensor, seed: Tensor) -> Tensor:
    """Rotate, shift, shear, zoom and flip each image of a batch in its own random way.

    Args:
        images: float32 of shape (N, H, W, 3).
        seed: int64 of shape (2,); equal seeds give equal transforms.

    Returns:
        float32 of the same shape; what comes from outside an image repeats its nearest edge.

    """
    count, height, width = (tf.shape(images)[axis] for axis in range(3))
    transforms = random_transforms(count, tf.cast(height, tf.float32), tf.cast(width, tf.float32), seed)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=transforms,
        output_shape=tf.stack([height, width]),
        interpolation="BILINEAR",
        fill_mode="NEAREST",
        fill_value=0.0,
    )


def random_transforms(count: Tensor, height: Tensor, width: Tensor, seed: Tensor) -> Tensor:
    """Draw the article's transforms.

    Args:
        count: N, how many.
        height: of the images, as float32.
        width: of the images, as float32.
        seed: int64 of shape (2,).

    Returns:
        float32 of shape (N, 8): for each image the rows of the 3x3 matrix from output to input pixels, less its
        last 1.

    """
    unit = tf.random.stateless_uniform((7, count), seed, -1.0, 1.0)  # (7, N)
    flips = tf.where(unit[6] < 0, -1.0, 1.0)
    matrix = compose(
        angle=unit[0] * ROTATION,
        shear=unit[1] * SHEAR,
        zoom_x=(1 + unit[2] * ZOOM) * flips,
        zoom_y=1 + unit[3] * ZOOM,
    )
    shift = tf.stack([unit[4] * SHIFT * width, unit[5] * SHIFT * height], axis=-1)  # (N, 2)
    return about_centre(matrix, shift, height, width)


def compose(*, angle: Tensor, shear: Tensor, zoom_x: Tensor, zoom_y: Tensor) -> Tensor:
    """Multiply rotation, shear and zoom, each float32 of shape (N,), to matrices of shape (N, 2, 2)."""
    cos, sin = tf.cos(angle), tf.sin(angle)
    rows = (
        (cos * zoom_x, -tf.sin(angle + shear) * zoom_y),
        (sin * zoom_x, tf.cos(angle + shear) * zoom_y),
    )
    return tf.stack([tf.stack(row, axis=-1) for row in rows], axis=-2)


def about_centre(matrix: Tensor, shift: Tensor, height: Tensor, width: Tensor) -> Tensor:
    """Turn matrices about the image's centre into the op's form.

    Args:
        matrix: float32 of shape (N, 2, 2), acting on (x, y).
        shift: float32 of shape (N, 2), in pixels.
        height: of the images, as float32.
        width: of the images, as float32.

    Returns:
        float32 of shape (N, 8).

    """
    centre = tf.stack([(width - 1) / 2, (height - 1) / 2])  # (2,)
    offset = centre + shift - tf.linalg.matvec(matrix, centre)  # (N, 2)
    affine = tf.concat([matrix, offset[..., None]], axis=-1)  # (N, 2, 3)
    flat = tf.reshape(affine, (-1, 6))
    return tf.concat([flat, tf.zeros_like(flat[:, :2])], axis=-1)
