"""The article's augmentation."""

import math

import numpy as np
import pytest
import tensorflow as tf

from trainer.augment import ROTATION, SHIFT, ZOOM, about_centre, augment, compose, random_transforms

IMAGES = np.random.default_rng(0).uniform(0, 255, (6, 21, 31, 3)).astype(np.float32)


def seed(*numbers):
    return tf.constant(numbers, tf.int64)


def ones(value):
    return tf.constant([value], tf.float32)


def transformed(matrix, shift=(0.0, 0.0), images=IMAGES[:1]):
    height, width = (tf.constant(float(side)) for side in images.shape[1:3])
    transform = about_centre(matrix, tf.constant([shift], tf.float32), height, width)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=transform,
        output_shape=images.shape[1:3],
        interpolation="BILINEAR",
        fill_mode="NEAREST",
        fill_value=0.0,
    ).numpy()


def test_no_change_changes_nothing():
    matrix = compose(angle=ones(0), shear=ones(0), zoom_x=ones(1), zoom_y=ones(1))
    np.testing.assert_allclose(transformed(matrix), IMAGES[:1], atol=1e-3)


def test_a_negative_zoom_is_a_horizontal_flip_about_the_centre():
    matrix = compose(angle=ones(0), shear=ones(0), zoom_x=ones(-1), zoom_y=ones(1))
    np.testing.assert_allclose(transformed(matrix), IMAGES[:1, :, ::-1], atol=1e-3)


def test_a_half_turn_is_about_the_centre():
    matrix = compose(angle=ones(math.pi), shear=ones(0), zoom_x=ones(1), zoom_y=ones(1))
    np.testing.assert_allclose(transformed(matrix), IMAGES[:1, ::-1, ::-1], atol=0.1)


def test_a_shift_repeats_the_nearest_edge():
    matrix = compose(angle=ones(0), shear=ones(0), zoom_x=ones(1), zoom_y=ones(1))
    moved = transformed(matrix, shift=(3.0, 0.0))
    np.testing.assert_allclose(moved[:, :, :-3], IMAGES[:1, :, 3:], atol=1e-3)
    np.testing.assert_allclose(moved[:, :, -3:], np.repeat(IMAGES[:1, :, -1:], 3, axis=2), atol=1e-3)


def test_shape_type_and_range_are_kept():
    result = augment(tf.constant(IMAGES), seed(1, 2)).numpy()
    assert result.shape == IMAGES.shape
    assert result.dtype == np.float32
    assert result.min() >= 0
    assert result.max() <= 255


def test_equal_seeds_give_equal_images_and_others_do_not():
    images = tf.constant(IMAGES)
    np.testing.assert_array_equal(augment(images, seed(1, 2)), augment(images, seed(1, 2)))
    assert not np.array_equal(augment(images, seed(1, 2)), augment(images, seed(1, 3)))


def test_each_image_of_a_batch_is_transformed_in_its_own_way():
    same = tf.constant(np.repeat(IMAGES[:1], 2, axis=0))
    first, second = augment(same, seed(0, 0)).numpy()
    assert not np.array_equal(first, second)


def test_random_transforms_stay_within_the_articles_limits_and_reach_for_them():
    count, height, width = 4000, 100.0, 200.0
    rows = random_transforms(count, tf.constant(height), tf.constant(width), seed(0, 0)).numpy()
    matrices = rows[:, :6].reshape(-1, 2, 3)
    zoom_x = np.linalg.norm(matrices[:, :, 0], axis=1)
    assert (zoom_x.min(), zoom_x.max()) == pytest.approx((1 - ZOOM, 1 + ZOOM), abs=0.01)
    flipped = np.linalg.det(matrices[:, :, :2]) < 0
    assert 0.45 < flipped.mean() < 0.55
    upright = matrices[~flipped]
    angles = np.arctan2(upright[:, 1, 0], upright[:, 0, 0])
    assert (angles.min(), angles.max()) == pytest.approx((-ROTATION, ROTATION), abs=0.02)
    centre = np.array([(width - 1) / 2, (height - 1) / 2, 1.0])
    shifts = matrices @ centre - centre[:2]
    assert np.abs(shifts).max(axis=0) == pytest.approx((SHIFT * width, SHIFT * height), rel=0.02)
    np.testing.assert_array_equal(rows[:, 6:], 0)
