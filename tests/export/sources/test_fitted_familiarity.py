"""A Keras model that someone else trained gets a familiarity if its pooled features are found and tell images apart."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from edge_runtime.familiarity.scenes import drawn_pixels
from edge_runtime.model.bundle import Bundle
from edge_runtime.selftest.golden import read_golden
from export.cli import main
from export.quiet_tensorflow import keras
from export.sources.familiarity import pooled_features
from export.sources.foreign import ForeignModel, read_foreign
from export.sources.reading import StatedInput

SIDE, LABELS = 32, ("left", "right")
UNIT = StatedInput("0..1")
layers = keras.layers


def stripes(label, count, seed):
    """Return pictures of diagonal stripes, which lean to the left or to the right, in any colours: uint8."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:SIDE, 0:SIDE]
    lean = columns + rows if label == "left" else columns - rows
    phases = random.uniform(0, 8, (count, 1, 1))
    wave = (np.sin(2 * np.pi * (lean + phases) / 8) + 1) / 2
    dark, bright = random.uniform(0, 60, (count, 1, 1, 3)), random.uniform(190, 255, (count, 1, 1, 3))
    return (dark + wave[..., None] * (bright - dark) + random.normal(0, 5, (count, SIDE, SIDE, 3))).clip(0, 255)


def network(head):
    """Return a network of fixed edge filters, from 0..1, with pooled features and untrained classes."""
    keras.utils.set_random_seed(3)
    image = keras.Input((SIDE, SIDE, 3))
    maps = layers.Conv2D(48, 5, activation="relu")(image)
    if head == "convolution":
        pooled = layers.GlobalAveragePooling2D(keepdims=True)(maps)
        return keras.Model(image, layers.Softmax()(layers.Flatten()(layers.Conv2D(2, 1)(layers.Dropout(0.2)(pooled)))))
    pooled = layers.GlobalAveragePooling2D()(maps)
    if head == "sequential":
        trunk = keras.Model(image, pooled)
        return keras.Sequential([keras.Input((SIDE, SIDE, 3)), trunk, layers.Dense(2, activation="softmax")])
    logits = layers.Dense(2)(layers.Dropout(0.2)(pooled))
    return keras.Model(image, layers.Activation("softmax", dtype="float32")(logits) if head == "activation" else logits)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    for seed, label in enumerate(LABELS):
        (folder / label).mkdir()
        for number, pixels in enumerate(stripes(label, 60, seed)):
            Image.fromarray(pixels.astype(np.uint8)).save(folder / label / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def labels(tmp_path_factory):
    path = tmp_path_factory.mktemp("labels") / "labels.txt"
    path.write_text("left\nright\n")
    return path


@pytest.mark.parametrize("head", ["logits", "activation", "sequential", "convolution"])
def test_the_pooled_features_are_found_whatever_follows_them(head):
    features = pooled_features(network(head))
    assert tuple(features.shape) == (None, 48)


def test_a_model_without_pooled_features_has_none():
    image = keras.Input((8, 8, 3))
    maps = layers.Conv2D(2, 3)(image)
    assert pooled_features(keras.Model(image, layers.Softmax()(layers.Flatten()(layers.Conv2D(2, 6)(maps))))) is None


def test_images_like_the_given_ones_are_familiar_and_scenes_are_not(data, labels, tmp_path):
    network("convolution").save(tmp_path / "model.keras")
    source = read_foreign(
        ForeignModel(tmp_path / "model.keras", labels, data, stated=UNIT, accept_chance=True),
        scratch=tmp_path,
    )
    assert source.no_familiarity is None
    new = np.concatenate([stripes(label, 100, 9) for label in LABELS]).astype(np.uint8)
    kept = source.probabilities(new).sum(axis=1) >= source.spec.min_familiarity
    accepted = source.probabilities(drawn_pixels(50, source.spec, 99)).sum(axis=1) >= source.spec.min_familiarity
    assert 0.85 <= kept.mean() <= 1
    assert accepted.mean() <= 0.05
    plain = read_foreign(ForeignModel(tmp_path / "model.keras", labels, data, stated=UNIT, accept_chance=True))
    scores = source.probabilities(new)
    assert scores / scores.sum(axis=1, keepdims=True) == pytest.approx(plain.probabilities(new), abs=1e-4)


def test_the_bundle_of_a_foreign_model_recognizes_an_empty_scene(data, labels, tmp_path):
    network("logits").save(tmp_path / "model.keras")
    command = ["export", str(tmp_path / "model.keras"), "--labels", str(labels), "--data", str(data)]
    out = tmp_path / "bundle"
    limits = [
        "--min-agreement",
        "0.5",
        "--max-accuracy-loss",
        "1",
        "--max-recall-loss",
        "1",
    ]  # its classes are untrained
    assert (
        main(
            [
                *command,
                "--input-range",
                "0..1",
                "--out",
                str(out),
                "--formats",
                "int8.tflite",
                "--accept-chance",
                *limits,
            ]
        )
        == 0
    )
    bundle = Bundle.open(out)
    assert bundle.spec.min_familiarity == 0.5
    report = json.loads((out / "report.json").read_text())
    assert report["no_familiarity"] is None
    (artifact,) = report["artifacts"]
    assert artifact["familiar"]["kept"] >= 0.85
    assert any("unfamiliar" in image.path for image in read_golden(bundle))


@pytest.mark.parametrize(
    ("make", "images", "reason"),
    [
        (lambda: network("logits"), 30, "fewer than 40 calibration images"),
        (
            lambda: keras.Sequential(
                [keras.Input((SIDE, SIDE, 3)), layers.Conv2D(2, SIDE), layers.Flatten(), layers.Softmax()]
            ),
            120,
            "not found",
        ),
    ],
)
def test_the_reason_is_given_if_it_has_none(data, labels, tmp_path, make, images, reason):
    make().save(tmp_path / "model.keras")
    few = tmp_path / "few"
    for label in LABELS:
        (few / label).mkdir(parents=True)
        for number in range(images // 2):
            (few / label / f"{number}.png").write_bytes((data / label / f"{number}.png").read_bytes())
    source = read_foreign(
        ForeignModel(tmp_path / "model.keras", labels, few, stated=UNIT, accept_chance=True),
        scratch=tmp_path,
    )
    assert reason in source.no_familiarity
    assert (source.spec.min_familiarity, source.unfamiliar, source.origin.familiarity) == (None, None, None)
