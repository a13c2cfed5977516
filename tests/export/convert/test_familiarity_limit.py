"""The limit of the familiarity in a quantized file is where the file's own features place it."""

from __future__ import annotations

import numpy as np
import pytest

from edge_runtime.familiarity.subspace import principal_directions, share_within
from edge_runtime.model.spec import ModelSpec
from export.convert.familiarity_limit import moved_offset, set_own_limit, with_own_limit
from export.convert.onnx import to_onnx
from export.convert.tflite import freeze, to_tflite
from export.runtimes.process import run_on_device
from export.sources.familiarity import Familiarity, times_familiarity

IMAGES, SIDE, FEATURES, SHIFT = 80, 24, 32, 0.01
SPEC = ModelSpec(width=SIDE, height=SIDE, labels=("a", "b"), output="softmax", min_familiarity=0.5)


def test_a_few_images_move_the_offset_by_the_mean_change_of_their_shares():
    exact = np.linspace(0.6, 0.9, 12)
    assert moved_offset(0.65, exact, exact - 0.2) == pytest.approx(0.45)
    assert moved_offset(0.85, exact, exact + 0.2) == pytest.approx(1.05)


def test_many_images_also_stretch_the_shares():
    exact = np.linspace(0.2, 0.8, 100)
    assert moved_offset(0.4, exact, 0.5 * exact + 0.1) == pytest.approx(0.3)


def test_the_stretch_is_not_continued_beyond_the_images():
    exact = np.linspace(0.8, 1.0, 100)
    assert moved_offset(0.78, exact, 2 * exact - 1) == pytest.approx(0.78 - 0.2)


def test_a_difference_that_may_be_chance_does_not_move_the_offset():
    common, *noise = np.random.default_rng(0).normal(0, 0.03, (3, 200))
    exact, rounded = (0.8 + common + own for own in noise)
    assert moved_offset(0.75, exact, rounded) == 0.75
    assert moved_offset(0.5, exact, rounded - 0.1) == 0.5  # all images are far above it


@pytest.fixture(scope="module")
def images():
    """Return pictures of smooth gradients and some noise: their features lie near a subspace."""
    random = np.random.default_rng(0)
    rows = np.linspace(0, 1, SIDE)[None, :, None, None] * random.uniform(60, 200, (IMAGES, 1, 1, 3))
    noise = random.normal(0, 1, (IMAGES, SIDE, SIDE, 3)) * random.uniform(2, 25, (IMAGES, 1, 1, 1))
    return np.clip(rows + 20 + noise, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def models(images):
    """Return the exact network, and one whose features are shifted, as rounding shifts them."""
    import keras

    keras.utils.set_random_seed(0)
    pixels = keras.Input((SIDE, SIDE, 3))
    bent = keras.layers.Conv2D(FEATURES, 5, strides=3, activation="relu")(pixels / 255)
    features = keras.layers.GlobalAveragePooling2D()(bent)
    probabilities = keras.layers.Dense(2, activation="softmax")(features)
    body = keras.Model(pixels, [features, probabilities])
    known = body.predict(images.astype(np.float32), verbose=0)[0]
    basis = principal_directions(known, 3).astype(np.float32)
    offset = float(np.quantile(share_within(known, basis), 0.1))
    familiarity = Familiarity(basis, 2000.0, offset)
    model = keras.Model(pixels, times_familiarity(*body(pixels), familiarity))
    kernel, bias, *others = plain = body.get_weights()
    body.set_weights([kernel, bias + SHIFT * np.random.default_rng(1).normal(size=FEATURES), *others])
    shifted = freeze(model, SPEC), to_onnx(model, SPEC)
    body.set_weights(plain)
    return (freeze(model, SPEC), to_onnx(model, SPEC)), shifted


def kept(path, images, backend):
    return (run_on_device(path, SPEC, images, backend).probabilities.sum(axis=1) >= 0.5).mean()


def test_a_tflite_file_recognizes_as_many_images_as_the_exact_network(models, images, tmp_path):
    exact, shifted = (to_tflite(model[0], "float32", images, spec=SPEC) for model in models)
    shares = {}
    for name, content in (
        ("exact", exact),
        ("shifted", shifted),
        ("own limit", with_own_limit(shifted, exact, images)),
    ):
        path = tmp_path / f"{name}.tflite"
        path.write_bytes(content)
        shares[name] = kept(path, images, "litert")
    assert shares["exact"] == pytest.approx(0.9, abs=0.01)
    assert shares["shifted"] < 0.8
    assert shares["own limit"] == pytest.approx(shares["exact"], abs=0.05)


def test_an_onnx_file_recognizes_as_many_images_as_the_exact_network(models, images, tmp_path):
    for name, (_, proto) in zip(("exact", "shifted"), models, strict=True):
        (tmp_path / f"{name}.onnx").write_bytes(proto.SerializeToString())
    before = kept(tmp_path / "shifted.onnx", images, "onnx")
    set_own_limit(tmp_path / "shifted.onnx", tmp_path / "exact.onnx", images)
    assert before < 0.8
    expected = kept(tmp_path / "exact.onnx", images, "onnx")
    assert kept(tmp_path / "shifted.onnx", images, "onnx") == pytest.approx(expected, abs=0.05)
