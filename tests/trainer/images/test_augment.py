"""Augmentation, the standard one and the others."""

import math

import numpy as np
import pytest

from trainer.images.augment import (
    GENTLE,
    PHOTO,
    STANDARD,
    about_centre,
    augment,
    compose,
    random_light,
    random_transforms,
    relight,
    transform,
)

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 21, 31, 3), np.uint8)


def one(value):
    return np.array([value], np.float64)


def transformed(matrices, shift=(0.0, 0.0), image=IMAGES[0]):
    result = np.empty_like(image)
    transform(image, about_centre(matrices, np.array([shift]), *image.shape[:2])[0], result)
    return result


def test_no_change_changes_nothing():
    matrices = compose(angle=one(0), shear=one(0), zoom_x=one(1), zoom_y=one(1))
    np.testing.assert_array_equal(transformed(matrices), IMAGES[0])


def test_a_negative_zoom_is_a_horizontal_flip_about_the_centre():
    matrices = compose(angle=one(0), shear=one(0), zoom_x=one(-1), zoom_y=one(1))
    np.testing.assert_array_equal(transformed(matrices), IMAGES[0, :, ::-1])


def test_a_half_turn_is_about_the_centre():
    matrices = compose(angle=one(math.pi), shear=one(0), zoom_x=one(1), zoom_y=one(1))
    np.testing.assert_allclose(transformed(matrices), IMAGES[0, ::-1, ::-1], atol=1)


def test_a_shift_repeats_the_nearest_edge():
    matrices = compose(angle=one(0), shear=one(0), zoom_x=one(1), zoom_y=one(1))
    moved = transformed(matrices, shift=(3.0, 0.0))
    np.testing.assert_array_equal(moved[:, :-3], IMAGES[0, :, 3:])
    np.testing.assert_array_equal(moved[:, -3:], np.repeat(IMAGES[0, :, -1:], 3, axis=1))


def test_shape_and_type_are_kept():
    result = augment(IMAGES, (1, 2))
    assert result.shape == IMAGES.shape
    assert result.dtype == np.uint8


def test_equal_seeds_give_equal_images_and_others_do_not():
    np.testing.assert_array_equal(augment(IMAGES, (1, 2)), augment(IMAGES, (1, 2)))
    assert not np.array_equal(augment(IMAGES, (1, 2)), augment(IMAGES, (1, 3)))


def test_each_image_of_a_batch_is_transformed_in_its_own_way():
    first, second = augment(np.repeat(IMAGES[:1], 2, axis=0), (0, 0))
    assert not np.array_equal(first, second)


def relit(**factors):
    names = ("brightness", "contrast", "saturation", "red", "green", "blue")
    image = (IMAGES[0] // 4 + 80).astype(np.uint8)  # nothing is clipped
    result = image.copy()
    relight(result, np.array([factors.get(name, 1.0) for name in names]))
    return image.astype(np.float64), result.astype(np.float64)


def test_light_that_is_unchanged_changes_nothing():
    before, after = relit()
    np.testing.assert_array_equal(after, before)


def test_brightness_moves_the_mean_alone():
    before, after = relit(brightness=1.2)
    np.testing.assert_allclose(after - before, 0.2 * before.mean(), atol=0.51)


def test_contrast_widens_about_the_mean():
    before, after = relit(contrast=0.5)
    np.testing.assert_allclose(after - before.mean(), 0.5 * (before - before.mean()), atol=0.51)


def test_no_saturation_is_grey():
    before, after = relit(saturation=0.0)
    np.testing.assert_allclose(after, np.broadcast_to(before.mean(axis=2, keepdims=True), after.shape), atol=0.51)


def test_a_tint_changes_its_channel_alone():
    before, after = relit(blue=1.1)
    np.testing.assert_allclose(after, before * [1, 1, 1.1], atol=0.51)


def test_random_light_stays_within_its_limits_and_reaches_for_them():
    light = random_light(4000, np.random.default_rng(0), 0.3)
    assert light.min(axis=0) == pytest.approx([0.7] * 3 + [0.85] * 3, abs=0.01)
    assert light.max(axis=0) == pytest.approx([1.3] * 3 + [1.15] * 3, abs=0.01)


def test_only_the_augmentation_photo_changes_the_light():
    assert (STANDARD.light, GENTLE.light) == (0, 0)
    dark, lit = (augment(IMAGES, (1, 2), PHOTO._replace(light=light)) for light in (0.0, 0.3))
    assert not np.array_equal(dark, lit)


@pytest.mark.parametrize("limits", [STANDARD, PHOTO, GENTLE], ids=["standard", "photo", "gentle"])
def test_random_transforms_stay_within_their_limits_and_reach_for_them(limits):
    count, height, width = 4000, 100, 200
    matrices = random_transforms(count, height, width, np.random.default_rng(0), limits)
    zoom_x = np.linalg.norm(matrices[:, :, 0], axis=1)
    assert (zoom_x.min(), zoom_x.max()) == pytest.approx((1 - limits.zoom, 1 + limits.zoom), abs=0.01)
    flipped = np.linalg.det(matrices[:, :, :2]) < 0
    assert flipped.mean() == pytest.approx(0.5 * limits.flip, abs=0.05)
    upright = matrices[~flipped]
    angles = np.arctan2(upright[:, 1, 0], upright[:, 0, 0])
    assert (angles.min(), angles.max()) == pytest.approx((-limits.rotation, limits.rotation), abs=0.02)
    centre = np.array([(width - 1) / 2, (height - 1) / 2, 1.0])
    shifts = matrices @ centre - centre[:2]
    assert np.abs(shifts).max(axis=0) == pytest.approx((limits.shift * width, limits.shift * height), rel=0.02)
