"""Class activation maps of networks whose weights are set by hand, or random: the mean of a map is known."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from edge_runtime.model.spec import ModelSpec
from trainer.evaluation.activation_map import activation_maps, draw_map
from trainer.evaluation.calibration import features_of, logits_of
from trainer.networks.models import build_cnn, build_cnn_bn, build_untrained

SIDE = 64
BOX = (slice(8, 24), slice(32, 56))


def colour_network(units):
    """Classes green, red and blue: each pooled feature is the excess of one colour over the others."""
    image = keras.Input((SIDE, SIDE, 3))
    excess = layers.Conv2D(3, 8, strides=8, activation="relu", use_bias=False)
    dense = layers.Dense(units, activation="softmax" if units > 1 else "sigmoid")
    model = keras.Model(image, dense(layers.Dropout(0.5)(layers.GlobalAveragePooling2D()(excess(image)))))
    weights = np.full((3, 3), -0.5) + 1.5 * np.eye(3)  # in: R, G, B; out: R, G, B
    excess.set_weights([np.broadcast_to(weights / 64 / 255, (8, 8, 3, 3))])
    red, green, blue = np.eye(3)
    kernel = np.stack([green, red, blue], axis=1) if units > 1 else (red - green)[:, None]
    dense.set_weights([20 * kernel, np.arange(units, dtype=np.float32)])
    return model


@pytest.fixture(scope="module")
def picture():
    """Return a grey picture with a red rectangle at BOX and a green one at the bottom left."""
    pixels = np.full((1, SIDE, SIDE, 3), 128, np.uint8)
    pixels[0][BOX] = (220, 30, 30)
    pixels[0, 40:64, 0:16] = (30, 220, 30)
    return pixels


@pytest.mark.parametrize("units", [1, 3])
def test_the_map_of_a_class_lies_on_its_shape(picture, units):
    model = colour_network(units)
    red, green = (activation_maps(model, picture, np.array([number]))[0] for number in (1, 0))
    assert red.shape == (8, 8)
    on_red = np.zeros((8, 8), bool)
    on_red[1:3, 4:7] = True  # BOX in steps of 8 pixels
    assert (red[on_red] > 0).all()
    assert (red[~on_red] <= 1e-6).all()
    assert (green[5:, :2] > 0).all()
    assert (green[on_red] < 0).all()


def test_the_map_is_drawn_on_the_shape_and_leaves_the_rest(picture):
    values = activation_maps(colour_network(3), picture, np.array([1]))[0]
    drawn = draw_map(picture[0], values)
    assert drawn.dtype == np.uint8
    assert drawn.shape == picture[0].shape
    changed = np.abs(drawn.astype(int) - picture[0]).sum(axis=2)
    assert changed[BOX].mean() > 100
    assert changed[40:, :24].max() == 0


def test_a_map_without_positive_values_changes_nothing(picture):
    assert (draw_map(picture[0], np.full((4, 4), -1.0, np.float32)) == picture[0]).all()
    assert (draw_map(picture[0], np.zeros((4, 4), np.float32)) == picture[0]).all()


@pytest.mark.parametrize(("name", "labels"), [("cnn_bn", ("a", "b")), ("mobilenet_v2", ("a", "b", "c"))])
def test_the_mean_of_a_map_is_the_contrast_of_the_logits(name, labels):
    spec = ModelSpec(height=40, width=36, labels=labels, output="sigmoid" if len(labels) == 2 else "softmax")
    model = build_cnn_bn(spec) if name == "cnn_bn" else build_untrained(name, spec, alpha=0.35, dropout=0.2)
    pixels = np.random.default_rng(0).integers(0, 256, (3, 40, 36, 3), np.uint8)
    classes = np.array([0, 1, len(labels) - 1])
    found = activation_maps(model, pixels, classes)
    logits = logits_of(model, features_of(model, pixels, np.arange(3), "features"))  # the bias is 0
    if logits.shape[1] == 1:
        logits = np.concatenate([-logits, logits], axis=1) / 2
    expected = logits[np.arange(3), classes] - logits.mean(axis=1)
    assert found.mean(axis=(1, 2)) == pytest.approx(expected, abs=1e-5)


def test_a_network_that_flattens_its_features_has_no_map():
    spec = ModelSpec(height=48, width=48, labels=("a", "b"), output="sigmoid")
    assert activation_maps(build_cnn(spec), np.zeros((1, 48, 48, 3), np.uint8), np.array([0])) is None
    image = keras.Input((8, 8, 3))
    bare = keras.Model(image, layers.Softmax()(layers.GlobalAveragePooling2D()(image)))
    assert activation_maps(bare, np.zeros((1, 8, 8, 3), np.uint8), np.array([0])) is None
