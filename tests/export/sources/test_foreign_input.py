"""The input of a Keras model is found with labelled images; grey models are exported."""

import numpy as np
import pytest
from PIL import Image

from edge_runtime.model.bundle import Bundle
from edge_runtime.selftest.replay import selftest
from export.cli import main
from export.quiet_tensorflow import keras
from export.sources.foreign import ForeignModel, read_foreign
from export.sources.reading import PRESETS, StatedInput

LABELS = ("dark", "middle", "bright")
LEVELS = (20, 128, 235)
SIDE = 16


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Pictures of three brightnesses, which only the right reading tells apart; the colour is noise."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for label, level in zip(LABELS, LEVELS, strict=True):
        (folder / label).mkdir()
        for number in range(12):
            pixels = (level + rng.integers(-15, 16, (20, 20, 3))).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / label / f"{number}.png")
    (folder.parent / "labels.txt").write_text("\n".join(LABELS))
    return folder


def brightness_model(path, reading, channels=3):
    """Save a classifier by the mean brightness of pixels, for an input of some reading."""
    image = keras.Input((SIDE, SIDE, channels))
    scale, offset = np.broadcast_to(reading.scale, channels), np.broadcast_to(reading.offset, channels)
    x = keras.layers.Rescaling((1 / scale / 255).tolist(), (-offset / scale / 255).tolist())(image)
    x = keras.layers.Conv2D(
        4, 3, strides=2, use_bias=False, kernel_initializer=keras.initializers.Constant(1 / 9 / channels)
    )(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    dense = keras.layers.Dense(3, activation="softmax")
    model = keras.Model(image, dense(x))
    # The largest of the lines a * x - a * a / 2 is that of the level a that is nearest to x.
    levels = np.array(LEVELS) / 255
    dense.set_weights([np.tile(levels * 200 / 4, (4, 1)), -levels * levels / 2 * 200])
    model.save(path)
    return path


def test_a_reading_is_found_and_a_wrong_one_is_named(tmp_path, photos):
    labels = photos.parent / "labels.txt"
    path = brightness_model(tmp_path / "model.keras", PRESETS["imagenet"])
    source = read_foreign(ForeignModel(path, labels, photos))
    predicted = source.probabilities(source.holdout).argmax(axis=1)
    assert predicted.tolist() == source.holdout_labels.tolist()
    lines = []
    wrong = ForeignModel(path, labels, photos, stated=StatedInput("0..1"), accept_chance=True)
    read_foreign(wrong, progress=lines.append)
    assert "the input is stated as 0..1" in lines[0]
    assert "imagenet" in lines[0]


def test_a_grey_keras_model_becomes_a_bundle(tmp_path, photos):
    path = brightness_model(tmp_path / "model.keras", PRESETS["inception"], channels=1)
    out = tmp_path / "bundle"
    stated = ["--labels", str(photos.parent / "labels.txt"), "--data", str(photos), "--normalization", "inception"]
    formats = ["--formats", "int8.tflite", "float32.onnx", "int8.onnx", "--jobs", "0"]
    assert main(["export", str(path), *stated, *formats, "--out", str(out)]) == 0
    bundle = Bundle.open(out)
    assert bundle.spec.color == "gray"
    for name in ("int8.tflite", "float32.onnx"):
        assert bundle.artifact(name).parity["accuracy"] == 1
        assert selftest(out, artifact=name).difference is None
