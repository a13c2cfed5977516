"""ONNX files of other exporters take pixels and return probabilities after the edit."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from edge_runtime.backends.opening import open_backend
from edge_runtime.model.bundle import ModelFile
from edge_runtime.model.spec import ModelSpec
from export.errors import ExportError
from export.sources.exported_file import StatedShape, read_ends, read_statements, with_pixel_input
from export.sources.reading import PRESETS, RANGES

from .onnx_models import LABELS, MEAN, STD, colour_onnx, expected_probabilities

PIXELS = np.random.default_rng(1).integers(0, 256, (3, 16, 16, 3), np.uint8)
CAFFE_MEAN, CAFFE_STD = np.float32([103.939, 116.779, 123.68]) / 255, np.full(3, 1 / 255, np.float32)
HALF = np.full(3, 0.5, np.float32)
UINT8 = {"mean": HALF * 0, "std": CAFFE_STD, "kind": TensorProto.UINT8}


def probabilities_of(path, ends, reading, head="softmax"):
    edited = path.with_name("edited.onnx")
    edited.write_bytes(with_pixel_input(path, ends, reading, head))
    spec = ModelSpec(ends.height, ends.width, LABELS, "softmax")
    return open_backend(ModelFile.read(edited), spec, threads=1).run(PIXELS)


@pytest.mark.parametrize(
    ("made", "reading", "head"),
    [
        ({}, PRESETS["imagenet"], "softmax"),
        ({"shape": (1, 16, 16, 3)}, PRESETS["imagenet"], "softmax"),
        ({"shape": ("n", 3, 16, 16), "opset": 7}, PRESETS["imagenet"], "softmax"),
        ({"shape": (None, 3, 16, 16), "end": "logits"}, PRESETS["imagenet"], "logits"),
        ({"mean": CAFFE_MEAN, "std": CAFFE_STD, "bgr": True}, PRESETS["caffe"], "softmax"),
        ({"mean": MEAN[::-1], "std": STD[::-1], "bgr": True}, PRESETS["imagenet"].reversed(), "softmax"),
        ({"mean": HALF, "std": HALF}, RANGES["-1..1"], "softmax"),
        ({"mean": HALF * 0, "std": HALF * 2, "kind": TensorProto.DOUBLE}, RANGES["0..1"], "softmax"),
        (UINT8, RANGES["0..255"], "softmax"),
        ({**UINT8, "shape": (1, 16, 16, 3)}, RANGES["0..255"], "softmax"),
        ({"external": True}, PRESETS["imagenet"], "softmax"),
        ({"output_shape": (1, 3, 1, 1)}, PRESETS["imagenet"], "softmax"),
        ({"output_shape": (1, 1, 1, 3)}, PRESETS["imagenet"], "softmax"),
        ({"output_shape": (3,)}, PRESETS["imagenet"], "softmax"),
        ({"shape": (8, 3, 16, 16), "reshape": (8, 3)}, PRESETS["imagenet"], "softmax"),
    ],
    ids=[
        "NCHW", "NHWC", "named batch", "unnamed batch and logits", "BGR minus mean", "BGR with std", "-1..1", "float64",
        "uint8 NCHW", "uint8 NHWC", "external data", "[1,C,1,1]", "[1,1,1,C]", "[C]", "batch of 8",
    ],
)  # fmt: skip
def test_an_edited_file_computes_what_it_should_for_pixels(tmp_path, made, reading, head):
    path = colour_onnx(tmp_path / "model.onnx", **made)
    found = probabilities_of(path, read_ends(path), reading, head)
    assert found == pytest.approx(expected_probabilities(PIXELS), abs=2e-5)


def test_a_float16_input_is_converted_inside_the_graph(tmp_path):
    path = colour_onnx(tmp_path / "model.onnx", kind=TensorProto.FLOAT16)
    ends = read_ends(path)
    assert (ends.input_type, ends.precision) == ("float16", "float16")
    found = probabilities_of(path, ends, PRESETS["imagenet"])
    assert found == pytest.approx(expected_probabilities(PIXELS), abs=2e-3)


@pytest.mark.parametrize("shape", [("n", 3, "h", "w"), (1, None, None, 3), (None, None, None, None)])
def test_an_input_of_any_size_gets_the_stated_one(tmp_path, shape):
    channels_first = shape[1] == 3
    path = colour_onnx(tmp_path / "model.onnx", shape=(1, 3, 16, 16) if channels_first else (1, 16, 16, 3))
    model = onnx.load(path)
    model.graph.input[0].CopyFrom(onnx.helper.make_tensor_value_info("input", TensorProto.FLOAT, shape))
    onnx.save(model, path)
    with pytest.raises(ExportError, match=r"pass --(image-size|layout)"):
        read_ends(path)
    ends = read_ends(path, StatedShape((16, 16), "nchw" if channels_first else "nhwc"))
    assert (ends.height, ends.width, ends.layout) == (16, 16, "nchw" if channels_first else "nhwc")
    found = probabilities_of(path, ends, PRESETS["imagenet"])
    assert found == pytest.approx(expected_probabilities(PIXELS), abs=2e-5)


def test_a_size_that_contradicts_the_file_is_refused(tmp_path):
    path = colour_onnx(tmp_path / "model.onnx")
    with pytest.raises(ExportError, match="which contradicts --image-size 24x24"):
        read_ends(path, StatedShape((24, 24)))


def test_an_output_without_a_shape_is_inferred(tmp_path):
    path = colour_onnx(tmp_path / "model.onnx")
    model = onnx.load(path)
    model.graph.output[0].type.tensor_type.ClearField("shape")
    onnx.save(model, path)
    assert read_ends(path).units == 3


def test_missing_external_data_is_refused_in_one_line(tmp_path):
    path = colour_onnx(tmp_path / "model.onnx", external=True)
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(ExportError, match=r"model.onnx: not a readable .onnx file") as refused:
        read_ends(path)
    assert "\n" not in str(refused.value)


def test_the_last_step_and_the_file_format_are_read(tmp_path):
    ends = {
        end: read_ends(colour_onnx(tmp_path / f"{end}.onnx", end=end)).last for end in ("softmax", "sigmoid", "relu")
    }
    assert ends == {"softmax": "softmax", "sigmoid": "sigmoid", "relu": "other"}
    model = onnx.load(tmp_path / "softmax.onnx")
    model.ir_version = 13
    onnx.save(model, tmp_path / "new.onnx")
    path = tmp_path / "new.onnx"
    edited = onnx.load_from_string(with_pixel_input(path, read_ends(path), PRESETS["imagenet"]))
    assert edited.ir_version == 10


def test_the_edited_file_states_its_new_input(tmp_path):
    old = {"Image.BitmapPixelFormat": "Bgr8", "Image.NominalPixelRange": "Normalized_0_1"}
    path = colour_onnx(tmp_path / "model.onnx", properties=old)
    assert read_statements(path).reading == RANGES["0..1"].reversed()
    probabilities_of(path, read_ends(path), PRESETS["imagenet"])
    edited = tmp_path / "edited.onnx"
    assert read_statements(edited).reading == RANGES["0..255"]
    content = with_pixel_input(edited, read_ends(edited), RANGES["0..255"])
    assert content == edited.read_bytes()
