"""Files that are exported already become bundles."""

import re

import numpy as np
import pytest
from PIL import Image

from edge_runtime.model.bundle import Bundle
from edge_runtime.selftest.replay import selftest
from export.cli import main
from export.runtimes.process import run_on_device
from export.sources.exported_file import read_ends, with_pixel_input
from export.sources.reading import RANGES

from .conftest import PETS_ARTIFACTS


def test_the_range_of_a_quantized_file_is_read_from_it(shared, tmp_path, capsys):
    model, labels = shared("models/mobilenet_v1_0.25_128_quant.tflite"), shared("models/imagenet_labels.txt")
    out = tmp_path / "bundle"
    assert main(["wrap", str(model), "--labels", str(labels), "--out", str(out)]) == 0
    bundle = Bundle.open(out)
    assert (bundle.default, len(bundle.spec.labels), bundle.spec.labels[0]) == ("int8.tflite", 1001, "background")
    assert selftest(out).difference is None


@pytest.mark.parametrize("name", ["float32.tflite", "float32.onnx"])
def test_a_float_file_gets_its_scaling_into_the_graph(tiny_bundle, tmp_path, name):
    """The file takes 0..255; told that it takes 0..1, the new one must give what the old gives for 1/255 of it."""
    old, new = tiny_bundle / f"model.{name}", tmp_path / f"model.{name}"
    new.write_bytes(with_pixel_input(old, read_ends(old), RANGES["0..1"]))
    spec = Bundle.open(tiny_bundle).spec
    pixels = np.zeros((1, 24, 24, 3), np.uint8)
    backend = "onnx" if name.endswith("onnx") else "litert"
    dark = run_on_device(old, spec, pixels, backend).probabilities
    assert run_on_device(new, spec, pixels, backend).probabilities == pytest.approx(dark, abs=1e-6)
    one = run_on_device(old, spec, pixels + 1, backend).probabilities
    assert run_on_device(new, spec, pixels + 255, backend).probabilities == pytest.approx(one, abs=1e-5)


def test_the_range_of_a_float_file_must_be_known(tmp_path, error_line):
    command = write_tflite(tmp_path / "model.tflite")[:-2]
    assert "pass --input-range" in error_line(main([*command, "--out", str(tmp_path / "bundle")]))
    assert not (tmp_path / "bundle").exists()


@pytest.mark.parametrize("name", ["float32.tflite", "float32.onnx", "int8.tflite"])
def test_an_edgewise_file_states_its_labels_and_its_range(tiny_bundle, tmp_path, name):
    assert main(["wrap", str(tiny_bundle / f"model.{name}"), "--out", str(tmp_path / "bundle")]) == 0
    bundle, old = Bundle.open(tmp_path / "bundle"), Bundle.open(tiny_bundle)
    assert bundle.spec == old.spec
    assert bundle.artifact(name).file.sha256 == old.artifact(name).file.sha256


def write_tflite(path, activation="softmax", size=8, weights=None):
    """Write a TFLite classifier of three classes for images of `size`, or of any size if None."""
    from export.quiet_tensorflow import tf

    kernel = tf.constant(np.eye(3, dtype=np.float32) / 20 if weights is None else weights)
    classify = {"softmax": tf.nn.softmax, "sigmoid": tf.nn.sigmoid}[activation]

    @tf.function(input_signature=[tf.TensorSpec((1, size, size, 3), tf.float32)])
    def function(image):
        return classify(tf.reduce_mean(image, (1, 2)) @ kernel)

    converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()], function)
    path.write_bytes(converter.convert())
    (path.parent / "labels.txt").write_text("red\ngreen\nblue\n")
    return ["wrap", str(path), "--labels", str(path.parent / "labels.txt"), "--input-range", "0..255"]


def test_images_with_equal_names_in_several_folders_stay_different(tmp_path):
    command = write_tflite(tmp_path / "model.tflite")
    for index, label in enumerate(("red", "green", "blue")):
        (tmp_path / "data" / label).mkdir(parents=True)
        for number in range(5):
            pixels = np.full((8, 8, 3), 40 + number, np.uint8)
            pixels[..., index] = 200
            Image.fromarray(pixels).save(tmp_path / "data" / label / f"no. {number} (a).png")
    assert main([*command, "--data", str(tmp_path / "data"), "--out", str(tmp_path / "bundle")]) == 0
    names = sorted(path.name for path in (tmp_path / "bundle" / "golden").glob("*.png"))
    assert len(names) == 12
    assert names[0].startswith("00-no-")
    assert selftest(tmp_path / "bundle").difference is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": None}, r"its input has shape \(1, -1, -1, 3\), images of any size; pass --image-size"),
        ({"activation": "sigmoid"}, "model.tflite: its outputs sum to .* instead of 1 .a multi-label model"),
        ({"weights": np.full((3, 3), np.nan, np.float32)}, "model.tflite: its outputs contain NaN or infinity"),
    ],
    ids=["any size", "multi-label", "NaN"],
)
def test_a_file_whose_outputs_would_be_wrong_is_refused_and_nothing_is_published(
    tmp_path, error_line, options, message
):
    command = write_tflite(tmp_path / "model.tflite", **options)
    line = error_line(main([*command, "--out", str(tmp_path / "bundle")]))
    assert re.search(message, line), line
    assert not (tmp_path / "bundle").exists()


@pytest.mark.parametrize("name", PETS_ARTIFACTS)
def test_a_file_with_a_familiarity_keeps_it(pets, tmp_path, name):
    command = ["wrap", str(pets / "bundle" / f"model.{name}"), "--labels", str(pets / "bundle" / "labels.txt")]
    assert main([*command, "--input-range", "0..255", "--out", str(tmp_path / "bundle")]) == 0
    assert Bundle.open(tmp_path / "bundle").spec.min_familiarity == 0.5
