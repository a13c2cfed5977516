"""Files with other inputs than RGB pixels become bundles that decide as the file does, or are refused in one line."""

import json

import numpy as np
import pytest
from onnx import TensorProto
from PIL import Image

from edge_runtime.image.preprocess import preprocess
from edge_runtime.model.bundle import Bundle
from edge_runtime.selftest.replay import selftest
from export.cli import main

from .sources.exported.onnx_models import MEAN, STD, colour_onnx, colour_pictures, expected_probabilities

HALF = np.full(3, 0.5, np.float32)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return colour_pictures(tmp_path_factory.mktemp("data") / "photos")


def wrap(model, *words):
    out = model.parent / "bundle"
    labels = ["--labels", str(model.parent / "labels.txt")]
    return main(["wrap", str(model), *labels, "--out", str(out), *map(str, words)]), out


def outputs_of(out):
    """Return the bundle's probabilities of its golden images, and what a correct bundle computes."""
    bundle = Bundle.open(out)
    golden = json.loads((out / "golden" / "golden.json").read_text())["images"]
    pixels = np.stack([preprocess(out / image["path"], bundle.spec) for image in golden])
    return [image["outputs"][bundle.default] for image in golden], expected_probabilities(pixels)


@pytest.mark.parametrize(
    "words",
    [
        ["--normalization", "imagenet"],
        ["--input-range", "0..1", "--mean", "0.485", "0.456", "0.406", "--std", "0.229,0.224,0.225"],
    ],
    ids=["by name", "by numbers"],
)
def test_an_onnx_file_with_channels_first_and_a_mean_becomes_a_bundle(tmp_path, data, words):
    code, out = wrap(colour_onnx(tmp_path / "model.onnx"), *words, "--data", data)
    assert code == 0
    assert Bundle.open(out).default == "float32.onnx"
    found, expected = outputs_of(out)
    assert found == pytest.approx(expected, abs=1e-4)
    assert selftest(out).difference is None


def test_the_input_is_found_with_labelled_images(tmp_path, data, capsys):
    model = colour_onnx(tmp_path / "model.onnx", mean=MEAN, std=STD, gain=16, end="logits")
    code, out = wrap(model, "--data", data)
    assert code == 0
    captured = capsys.readouterr()
    assert "float32.onnx; input: imagenet; accuracy: 100.0% of 24 images" in captured.out
    assert "returns logits; a softmax is added" in captured.err
    found, expected = outputs_of(out)
    assert np.argmax(found, axis=1).tolist() == expected.argmax(axis=1).tolist()


def test_a_wrong_order_of_channels_is_refused_with_the_right_one_named(tmp_path, data, error_line):
    model = colour_onnx(tmp_path / "model.onnx", mean=HALF, std=HALF, bgr=True)
    code, out = wrap(model, "--input-range=-1..1", "--data", data)
    assert "-1..1 BGR is right for 100.0%" in error_line(code)
    assert not out.exists()


def test_a_wrong_order_of_labels_is_refused_and_named(tmp_path, data, error_line):
    model = colour_onnx(tmp_path / "model.onnx")
    (tmp_path / "labels.txt").write_text("green\nblue\nred\n")
    code, out = wrap(model, "--normalization", "imagenet", "--data", data)
    line = error_line(code)
    assert "near chance" in line
    assert "labels" in line
    assert not out.exists()


@pytest.mark.parametrize(
    ("made", "words", "message"),
    [
        ({"end": "relu"}, [], "are not probabilities|instead of 1"),
        ({"end": "sigmoid"}, [], "a multi-label model"),
        ({"shape": (1, 4, 16, 16)}, [], "4 channels|it must be RGB or grey images"),
        ({}, ["--image-size", "32"], "contradicts --image-size 32x32"),
    ],
    ids=["ReLU", "multi-label", "four channels", "another size"],
)
def test_what_is_no_classifier_of_pixels_is_refused_in_one_line(tmp_path, error_line, made, words, message):
    import re

    if made.get("shape"):
        model = colour_onnx(tmp_path / "model.onnx")
        import onnx

        proto = onnx.load(model)
        proto.graph.input[0].CopyFrom(onnx.helper.make_tensor_value_info("input", TensorProto.FLOAT, made["shape"]))
        onnx.save(proto, model)
    else:
        model = colour_onnx(tmp_path / "model.onnx", **made)
    code, out = wrap(model, "--normalization", "imagenet", *words)
    assert re.search(message, error_line(code))
    assert not out.exists()


def grey_onnx(path, shape):
    """Write a classifier of dark, grey and bright pictures, for images of one channel in 0..1."""
    import onnx
    from onnx import helper, numpy_helper

    constants = {
        "flat": np.array([-1, 256], np.int64),
        "mean": np.full((256, 1), 1 / 256, np.float32),
        "weights": np.float32([[-40, 0, 40]]),
        "bias": np.float32([40 / 3, 0, -80 / 3]),
    }
    nodes = [
        helper.make_node("Reshape", ["input", "flat"], ["rows"]),
        helper.make_node("MatMul", ["rows", "mean"], ["brightness"]),
        helper.make_node("MatMul", ["brightness", "weights"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["output"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "grey",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ("n", 3))],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    (path.parent / "labels.txt").write_text("dark\nmiddle\nbright\n")
    return path


@pytest.mark.parametrize("shape", [("n", 1, 16, 16), ("n", 16, 16, 1), (1, 16, 16)], ids=["NCHW", "NHWC", "no channel"])
def test_a_grey_model_gets_one_channel(tmp_path, shape):
    for label, level in {"dark": 20, "middle": 128, "bright": 235}.items():
        (tmp_path / "data" / label).mkdir(parents=True)
        for number in range(6):
            colour = (level, max(0, level - 9 * number), level)
            Image.new("RGB", (20, 20), colour).save(tmp_path / "data" / label / f"{number}.png")
    code, out = wrap(grey_onnx(tmp_path / "model.onnx", shape), "--data", tmp_path / "data", "--input-range", "0..1")
    assert code == 0
    bundle = Bundle.open(out)
    assert (bundle.spec.color, bundle.artifact().parity["accuracy"]) == ("gray", 1.0)
    assert selftest(out).difference is None


def test_an_8_bit_softmax_of_many_classes_whose_sum_strays_is_accepted(tmp_path, error_line, capsys):
    """Most of 1,000 small probabilities are rounded to zero; without a softmax at its end, such a file is refused."""
    import onnx
    from onnx import helper, numpy_helper

    def write(path, end):
        rng = np.random.default_rng(0)
        constants = {
            "weights": rng.normal(0, 0.01, (3, 1000)).astype(np.float32),
            "step": np.float32(1 / 256),
            "zero": np.uint8(0),
        }
        nodes = [
            helper.make_node("ReduceMean", ["input"], ["means"], axes=[1, 2], keepdims=0),
            helper.make_node("MatMul", ["means", "weights"], ["scores"]),
            helper.make_node(*end),
            helper.make_node("QuantizeLinear", ["p", "step", "zero"], ["q"]),
            helper.make_node("DequantizeLinear", ["q", "step", "zero"], ["output"]),
        ]
        graph = helper.make_graph(
            nodes,
            "many",
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, (1, 8, 8, 3))],
            [helper.make_tensor_value_info("output", TensorProto.FLOAT, (1, 1000))],
            [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
        )
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
        (path.parent / "labels.txt").write_text("".join(f"class {number}\n" for number in range(1000)))
        return path

    code, out = wrap(write(tmp_path / "model.onnx", ("Softmax", ["scores"], ["p"])), "--input-range", "0..255")
    assert code == 0
    sums = np.sum(outputs_of_golden(out), axis=1)
    assert sums.min() < 0.8
    assert Bundle.open(out).default == "int8.onnx"
    assert main(["verify", str(out)]) == 0
    assert selftest(out).difference is None
    (tmp_path / "other").mkdir()
    capsys.readouterr()
    code, out = wrap(
        write(tmp_path / "other" / "model.onnx", ("Sigmoid", ["scores"], ["p"])), "--input-range", "0..255"
    )
    assert "a multi-label model" in error_line(code)


def outputs_of_golden(out):
    name = Bundle.open(out).default
    golden = json.loads((out / "golden" / "golden.json").read_text())["images"]
    return [image["outputs"][name] for image in golden]


def test_images_without_labels_show_the_input_and_the_output_says_how_sure_that_is(tmp_path, capsys):
    photos = tmp_path / "photos"
    photos.mkdir()
    for number, path in enumerate(sorted(colour_pictures(tmp_path / "sorted", each=4).rglob("*.png"))):
        path.rename(photos / f"{number}.png")
    code, _ = wrap(colour_onnx(tmp_path / "model.onnx"), "--data", photos)
    assert code == 0
    captured = capsys.readouterr()
    assert "input: imagenet; accuracy: not measured" in captured.out
    assert "chosen by the entropy of the outputs of 12 images without labels (99% of resamples)" in captured.err
