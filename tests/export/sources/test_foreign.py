"""Keras models that someone else trained: what is taken, and what is refused in one line with nothing published."""

import json
import shutil
import zipfile
from functools import partial

import numpy as np
import pytest
from PIL import Image

from edge_runtime.model.bundle import Bundle
from export.cli import main
from export.errors import ExportError
from export.importing.process import import_here
from export.quiet_tensorflow import keras, tf
from export.sources.foreign import ForeignModel, read_foreign
from export.sources.reading import StatedInput

SIDE, LABELS = 24, ("blue", "green", "red")
UNIT, SIGNED = StatedInput("0..1"), StatedInput("-1..1")
read_trusted = partial(read_foreign, importing=import_here)  # without a process for each model


def pictures(folder, labelled=True, each=24):
    """Write coloured pictures that a model can tell apart."""
    rng = np.random.default_rng(4)
    for index, label in enumerate(LABELS):
        place = folder / label if labelled else folder
        place.mkdir(parents=True, exist_ok=True)
        for number in range(each):
            pixels = rng.integers(0, 150, (SIDE, SIDE, 3))
            pixels[..., 2 - index] += 100
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(place / f"{label}-{number}.png")
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return pictures(tmp_path_factory.mktemp("data") / "photos")


@pytest.fixture(scope="module")
def labels(tmp_path_factory):
    path = tmp_path_factory.mktemp("labels") / "labels.txt"
    path.write_text("\n".join(LABELS) + "\n")
    return path


def without_its_rescaling(model, head):
    """Give the trained model's layers after its Rescaling, so that it takes 0..1, with another head."""
    inner = keras.Input((SIDE, SIDE, 3))
    x = inner
    for layer in model.layers[2:-1]:
        x = layer(x)
    last = keras.layers.Dense(3, activation=head)
    bare = keras.Model(inner, last(x))
    last.set_weights(model.layers[-1].get_weights())
    return bare


@pytest.mark.parametrize("form", ["h5", "keras", "saved_model"])
@pytest.mark.parametrize("head", ["softmax", None])
def test_a_foreign_model_is_read_whatever_its_form_and_head(trained_model, data, labels, tmp_path, form, head):
    bare = without_its_rescaling(trained_model, head)
    path = tmp_path / ("model" if form == "saved_model" else f"model.{form}")
    bare.export(path, verbose=False) if form == "saved_model" else bare.save(path)
    source = read_trusted(ForeignModel(path, labels, data, stated=StatedInput("0..1")))
    expected = source.holdout.astype(np.float32)
    assert source.probabilities(source.holdout) == pytest.approx(trained_model.predict(expected, verbose=0), abs=1e-4)
    assert len(source.calibration) + len(source.holdout) == 72
    assert source.unchecked is None


def test_a_foreign_model_becomes_a_bundle(trained_model, data, labels, tmp_path):
    without_its_rescaling(trained_model, None).save(tmp_path / "model.h5")
    out = tmp_path / "bundle"
    told = ["--labels", str(labels), "--data", str(data), "--input-range", "0..1"]
    command = ["export", str(tmp_path / "model.h5"), *told, "--out", str(out), "--formats", "int8.tflite"]
    assert main(command) == 0
    bundle = Bundle.open(out)
    assert bundle.spec.labels == LABELS
    assert bundle.artifact("int8.tflite").parity["accuracy"] > 0.9


def test_images_without_labels_prove_agreement_and_the_report_says_what_is_missing(trained_model, labels, tmp_path):
    trained_model.save(tmp_path / "model.keras")
    photos = pictures(tmp_path / "photos", labelled=False, each=8)
    out = tmp_path / "bundle"
    told = ["--labels", str(labels), "--data", str(photos), "--input-range", "0..255", "--jobs", "0"]
    command = ["export", str(tmp_path / "model.keras"), *told, "--out", str(out), "--formats", "float32.tflite"]
    assert main(command) == 0
    assert "have no labels" in json.loads((out / "report.json").read_text())["unchecked"]


def refused(path, labels, data):
    """Give the message of a model that cannot be read."""
    with pytest.raises(ExportError) as refusal:
        read_trusted(ForeignModel(path, labels, data, stated=UNIT, accept_chance=True))
    return str(refusal.value)


def test_a_model_with_two_outputs_is_refused(data, labels, tmp_path):
    image = keras.Input((SIDE, SIDE, 3))
    flat = keras.layers.Flatten()(image)
    outputs = [keras.layers.Dense(3)(flat), keras.layers.Dense(3)(flat)]
    keras.Model(image, outputs).save(tmp_path / "model.keras")
    line = refused(tmp_path / "model.keras", labels, data)
    assert "model.keras: has 1 inputs and 2 outputs; a classifier has one each" in line


def test_a_segmentation_model_is_refused(data, labels, tmp_path):
    image = keras.Input((SIDE, SIDE, 3))
    keras.Model(image, keras.layers.Conv2D(3, 1)(image)).save(tmp_path / "model.keras")
    assert "a segmentation model?" in refused(tmp_path / "model.keras", labels, data)


def test_labels_of_another_length_are_refused(trained_model, data, tmp_path):
    trained_model.save(tmp_path / "model.keras")
    (tmp_path / "labels.txt").write_text("blue\nred\n")
    line = refused(tmp_path / "model.keras", tmp_path / "labels.txt", data)
    assert "its 3 outputs are 3 classes, but there are 2 labels" in line


def test_nan_weights_are_refused_by_name(trained_model, data, labels, tmp_path):
    model = keras.models.clone_model(trained_model)
    model.set_weights([np.full_like(weight, np.nan) for weight in trained_model.get_weights()])
    model.save(tmp_path / "model.keras")
    assert "contain NaN or infinity" in refused(tmp_path / "model.keras", labels, data)


def test_calibration_images_of_one_class_are_refused(trained_model, labels, tmp_path):
    trained_model.save(tmp_path / "model.keras")
    photos = pictures(tmp_path / "photos")
    for label in LABELS[1:]:
        for path in (photos / label).iterdir():
            path.unlink()
    line = refused(tmp_path / "model.keras", labels, photos)
    assert "calibration images belong to one class" in line


def test_a_zip_bomb_is_refused_unopened(data, labels, tmp_path):
    with zipfile.ZipFile(tmp_path / "model.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.weights.h5", bytes(200_000_000))
    assert "would unpack to 200,000,000 bytes" in refused(tmp_path / "model.keras", labels, data)


def test_a_saved_model_without_signature_is_refused(data, labels, tmp_path):
    tf.saved_model.save(tf.Module(), str(tmp_path / "model"))
    line = refused(tmp_path / "model", labels, data)
    assert "has no signature serving_default" in line


def test_an_unsupported_operation_is_named(data, labels, tmp_path, error_line):
    image = keras.Input((SIDE, SIDE, 3))
    x = keras.layers.Lambda(lambda value: tf.math.igamma(value + 1.0, value + 1.0))(image)
    model = keras.Model(image, keras.layers.Dense(3, activation="softmax")(keras.layers.Flatten()(x)))
    model.export(tmp_path / "model", verbose=False)
    out = tmp_path / "out"
    stated = ["--labels", str(labels), "--data", str(data), "--input-range", "0..1", "--jobs", "0", "--accept-chance"]
    line = error_line(
        main(["export", str(tmp_path / "model"), *stated, "--out", str(out), "--formats", "float32.tflite"])
    )
    assert "Igamma" in line
    assert not out.exists()
    assert not list(tmp_path.glob(".out*"))


def test_a_full_disk_is_one_line_and_leaves_nothing(tiny_run, tmp_path, monkeypatch, error_line):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("export.pipeline.write_golden", full)
    command = ["export", str(tiny_run.folder), "--out", str(tmp_path / "b"), "--jobs", "0"]
    line = error_line(main([*command, "--formats", "float32.tflite"]))
    assert "cannot be written: No space left on device; nothing is published" in line
    assert list(tmp_path.iterdir()) == []


def test_a_model_without_what_a_run_would_tell_is_refused(trained_model, tmp_path, error_line):
    trained_model.save(tmp_path / "model.keras")
    line = error_line(main(["export", str(tmp_path / "model.keras"), "--out", str(tmp_path / "b")]))
    assert "--labels is needed" in line


def test_a_sigmoid_becomes_one_probability_a_label(tiny_run, tmp_path):
    image = keras.Input((SIDE, SIDE, 3))
    given = keras.layers.Dense(1, activation="sigmoid")(keras.layers.GlobalAveragePooling2D()(image))
    keras.Model(image, given).save(tmp_path / "model.keras")
    (tmp_path / "labels.txt").write_text("blue\nred\n")
    photos = pictures(tmp_path / "photos", each=4)
    shutil.rmtree(photos / "green")
    source = read_trusted(
        ForeignModel(tmp_path / "model.keras", tmp_path / "labels.txt", photos, stated=SIGNED, accept_chance=True)
    )
    outputs = source.probabilities(source.holdout)
    assert outputs.shape[1] == 2
    assert outputs.sum(axis=1) == pytest.approx(1)


def test_a_cast_after_the_softmax_gets_no_second_softmax(trained_model, data, labels, tmp_path):
    """TensorFlow's mixed-precision guide ends a model with a linear activation in float32."""
    image = keras.Input((SIDE, SIDE, 3))
    outputs = keras.layers.Activation("linear", dtype="float32")(trained_model(image))
    keras.Model(image, outputs).save(tmp_path / "model.keras")
    source = read_trusted(ForeignModel(tmp_path / "model.keras", labels, data, stated=StatedInput("0..255")))
    expected = trained_model.predict_on_batch(source.holdout.astype(np.float32))
    assert source.probabilities(source.holdout) == pytest.approx(expected, abs=1e-6)


def test_independent_probabilities_of_several_labels_are_refused(trained_model, data, labels, tmp_path):
    bare = without_its_rescaling(trained_model, "sigmoid")
    bare.save(tmp_path / "model.keras")
    with pytest.raises(ExportError, match=r"model\.keras: its outputs sum to .* instead of 1 \(a multi-label"):
        read_trusted(ForeignModel(tmp_path / "model.keras", labels, data, stated=StatedInput("0..1")))
