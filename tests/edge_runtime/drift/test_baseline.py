"""The baseline of the training photographs, and what is measured of a picture."""

import json

import numpy as np
import pytest
from PIL import Image, ImageFilter

from edge_runtime.drift.baseline import PARTS, STATISTICS, fit_baseline, parse_baseline
from edge_runtime.drift.looks import layout_of, look_of
from edge_runtime.drift.window import independent_samples
from edge_runtime.errors import BundleError


@pytest.fixture
def pictures():
    random = np.random.default_rng(0)
    return [
        (random.uniform(20, 235, 3) + random.normal(0, 30, (20, 24, 3))).clip(0, 255).astype(np.uint8)
        for _ in range(60)
    ]


def test_a_plain_picture_is_known():
    look = look_of(np.full((9, 7, 3), (100, 50, 10), np.uint8))
    brightness = 0.299 * 100 + 0.587 * 50 + 0.114 * 10
    assert look.brightness == pytest.approx(brightness, rel=1e-5)
    assert (look.contrast, look.sharpness) == pytest.approx((0, 0), abs=1e-3)
    assert look.redness == pytest.approx(50 / (brightness + 8), rel=1e-4)
    assert look.yellowness == pytest.approx(65 / (brightness + 8), rel=1e-4)


def test_each_change_moves_its_own_statistics(pictures):
    before = look_of(pictures[0])
    dark = look_of(pictures[0] // 2)
    assert dark.brightness == pytest.approx(before.brightness / 2, abs=1)
    assert dark.sharpness == pytest.approx(before.sharpness, rel=0.05)
    assert dark.redness == pytest.approx(before.redness, abs=0.05)
    soft = look_of(np.asarray(Image.fromarray(pictures[0]).filter(ImageFilter.GaussianBlur(2))))
    assert soft.sharpness < before.sharpness / 4
    grey = look_of(np.repeat(pictures[0][..., :1], 3, axis=2))
    assert (grey.colourfulness, grey.redness, grey.yellowness) == pytest.approx((0, 0, 0), abs=1e-5)


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (5, 40), (96, 96), (224, 160)])
def test_pictures_of_every_size_have_a_look_and_a_layout(shape):
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    assert np.isfinite(look_of(pixels)).all()
    assert layout_of(pixels).shape == (264,)


def test_the_layout_survives_other_light_but_not_another_framing(pictures):
    random = np.random.default_rng(1)
    picture = np.kron(random.uniform(40, 200, (12, 12, 1)), np.ones((8, 8, 3)))
    before = layout_of(picture.astype(np.uint8))
    assert (layout_of((picture * 0.5).astype(np.uint8)) != before).mean() < 0.02
    assert (layout_of(np.roll(picture, 16, axis=1).astype(np.uint8)) != before).mean() > 0.25


def test_a_baseline_survives_writing_and_places_its_own_photographs_evenly(pictures):
    baseline = fit_baseline(pictures, {"cat": 0.25, "dog": 0.75}, 0.04)
    content = json.dumps(baseline.to_json()).encode()
    assert len(content) < 2000
    read = parse_baseline(content, "drift.json")
    assert (read.photographs, read.unfamiliar, read.classes) == (60, 0.04, {"cat": 0.25, "dog": 0.75})
    places = np.array([read.positions(look_of(picture)) for picture in pictures])
    assert places.mean(axis=0) == pytest.approx(np.full(6, 0.5), abs=0.03)
    assert fit_baseline(pictures[:5], {}, None) is None


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data.update(version=2),
        lambda data: data.update(photographs=0),
        lambda data: data.update(unfamiliar=2),
        lambda data: data.update(classes=[]),
        lambda data: data.update(classes={"cat": "x"}),
        lambda data: data["quantiles"].pop("contrast"),
        lambda data: data["quantiles"].update(contrast=[1.0] * (len(PARTS) - 1)),
        lambda data: data["quantiles"].update(contrast=list(range(len(PARTS)))[::-1]),
        lambda data: data["quantiles"].update(contrast=[True] * len(PARTS)),
        lambda data: data.update(more=1),
    ],
)
def test_a_damaged_baseline_is_refused(pictures, spoil):
    data = fit_baseline(pictures, {"cat": 1.0}, None).to_json()
    spoil(data)
    with pytest.raises(BundleError, match=r"drift\.json"):
        parse_baseline(json.dumps(data).encode(), "drift.json")


def test_consecutive_frames_are_worth_less_than_photographs():
    random = np.random.default_rng(0)
    variances = np.ones(len(STATISTICS))
    photographs = random.normal(0, 1, (120, len(STATISTICS)))
    assert independent_samples(photographs, variances) > 80
    assert independent_samples(np.repeat(photographs[:4], 30, axis=0), variances) < 5
    assert independent_samples(photographs * 0.01, variances) == 1.0  # one scene with a sensor's noise
