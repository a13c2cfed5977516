"""TFLite files of other exporters take pixels and return probabilities after the edit."""

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from edge_runtime.backends.opening import open_backend
from edge_runtime.errors import InferenceError
from edge_runtime.model.bundle import ModelFile
from edge_runtime.model.spec import ModelSpec
from export.errors import ExportError
from export.runtimes.bare import bare_outputs
from export.sources.exported.choice import known_input
from export.sources.exported.statements import Statements
from export.sources.exported_file import StatedShape, read_ends, with_pixel_input
from export.sources.reading import PRESETS, RANGES, Reading, StatedInput

from .onnx_models import LABELS, MEAN, STD, expected_probabilities
from .tflite_models import colour_tflite

PIXELS = np.random.default_rng(1).integers(0, 256, (3, 16, 16, 3), np.uint8)
HALF = np.full(3, 0.5, np.float32)
CAFFE = {"mean": np.float32([103.939, 116.779, 123.68]) / 255, "std": np.full(3, 1 / 255, np.float32), "bgr": True}


def probabilities_of(path, ends, reading, head="softmax", kernels=None, pixels=PIXELS):
    edited = path.with_name("edited.tflite")
    edited.write_bytes(with_pixel_input(path, ends, reading, head))
    spec = ModelSpec(ends.height, ends.width, LABELS, "softmax")
    return open_backend(ModelFile.read(edited), spec, backend="litert", threads=1, kernels=kernels).run(pixels)


@pytest.mark.parametrize(
    ("made", "reading", "head"),
    [
        ({}, PRESETS["imagenet"], "softmax"),
        ({"shape": (1, 3, 16, 16), "end": "logits"}, PRESETS["imagenet"], "logits"),
        ({**CAFFE}, PRESETS["caffe"], "softmax"),
        ({"mean": HALF, "std": HALF, "output_shape": (1, 1, 1, 3)}, RANGES["-1..1"], "softmax"),
        ({"output_shape": (3,), "half": True}, PRESETS["imagenet"], "softmax"),
        ({"shape": (8, 16, 16, 3), "reshape": (8, 64)}, PRESETS["imagenet"], "softmax"),
    ],
    ids=["NHWC", "NCHW logits", "BGR minus mean", "[1,1,1,C]", "[C] float16", "batch of 8"],
)
def test_an_edited_file_computes_what_it_should_for_pixels(tmp_path, made, reading, head):
    path = colour_tflite(tmp_path / "model.tflite", **made)
    ends = read_ends(path)
    assert ends.precision == ("float16" if "half" in made else "float32")
    for kernels in (None, "reference"):
        found = probabilities_of(path, ends, reading, head, kernels)
        assert found == pytest.approx(expected_probabilities(PIXELS), abs=1e-3 if "half" in made else 2e-5)


@pytest.mark.parametrize(
    ("kernels", "resolver"), [(None, OpResolverType.AUTO), ("reference", OpResolverType.BUILTIN_REF)]
)
def test_pixels_between_two_levels_are_taken_as_they_are(tmp_path, kernels, resolver):
    """Kernels round a value between two levels differently, and float32 shifts it to either side."""
    every = np.array([[[0] * 3, [255] * 3] * 8] * 16, np.uint8)
    samples = [RANGES["-1..1"].apply(every), *RANGES["-1..1"].apply(PIXELS)]
    path = colour_tflite(tmp_path / "model.tflite", mean=HALF, std=HALF, bgr=True, samples=samples, io="int8")
    ends = read_ends(path)
    assert ends.represented == pytest.approx((-127 * 2 / 255, 128 * 2 / 255))
    interpreter = Interpreter(str(path), experimental_op_resolver_type=resolver)
    interpreter.allocate_tensors()
    taken, given = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    scale, zero_point = given["quantization"]
    expected = []
    for image in PIXELS:
        interpreter.set_tensor(taken["index"], (image[None, ..., ::-1].astype(int) - 128).astype(np.int8))
        interpreter.invoke()
        expected.append((interpreter.get_tensor(given["index"])[0].astype(int) - zero_point) * scale)
    found = probabilities_of(path, ends, RANGES["-1..1"].reversed(), kernels=kernels)
    assert found == pytest.approx(np.array(expected), abs=1e-6)
    if kernels is None:
        (bare,) = bare_outputs(path, ends, PIXELS, [RANGES["-1..1"].reversed()])
        assert bare == pytest.approx(np.array(expected), abs=1e-6)


def test_an_input_of_any_size_gets_the_stated_one(tmp_path):
    path = colour_tflite(tmp_path / "model.tflite", shape=(None, None, None, 3))
    ends = read_ends(path, StatedShape((16, 16)))
    found = probabilities_of(path, ends, PRESETS["imagenet"])
    assert found == pytest.approx(expected_probabilities(PIXELS), abs=2e-5)


@pytest.mark.parametrize("io", ["uint8", "int8", "float32"])
@pytest.mark.parametrize(
    ("made", "reading"),
    [(CAFFE, PRESETS["caffe"]), ({"mean": MEAN, "std": STD}, PRESETS["imagenet"])],
    ids=["caffe", "imagenet"],
)
def test_a_quantized_file_with_a_mean_gets_it_into_the_graph(tmp_path, io, made, reading):
    samples = [reading.apply(np.array([[[0] * 3, [255] * 3] * 8] * 16, np.uint8)), *reading.apply(PIXELS)]
    path = colour_tflite(tmp_path / "model.tflite", samples=samples, io=io, **made)
    ends = read_ends(path)
    assert ends.precision == "int8"
    found = probabilities_of(path, ends, reading)
    assert found == pytest.approx(expected_probabilities(PIXELS), abs=0.03)


def known(path, ends, **stated):
    return known_input(ends, StatedInput(**stated), Statements(), path, has_labels=False, has_images=False)


def test_the_range_of_a_quantized_input_is_recognized_although_its_images_were_dim(tmp_path):
    samples = RANGES["-1..1"].apply(np.random.default_rng(0).integers(24, 187, (8, 16, 16, 3), np.uint8))
    path = colour_tflite(tmp_path / "model.tflite", mean=HALF, std=HALF, samples=samples, io="int8")
    ends = read_ends(path)
    assert ends.represented == pytest.approx((-0.81, 0.46), abs=0.02)
    assert known(path, ends).reading == RANGES["-1..1"]
    colours = np.full((3, 16, 16, 3), 30, np.uint8)
    for channel in range(3):
        colours[channel, ..., channel] = 255
    found = probabilities_of(path, ends, RANGES["-1..1"], pixels=colours)
    assert found.argmax(axis=1).tolist() == [0, 1, 2]


def test_a_subtracted_mean_without_a_statement_is_refused(tmp_path):
    samples = PRESETS["caffe"].apply(np.array([[[[0] * 3, [255] * 3] * 8] * 16], np.uint8))
    path = colour_tflite(tmp_path / "model.tflite", samples=samples, io="uint8", **CAFFE)
    ends = read_ends(path)
    with pytest.raises(ExportError, match=r"represents -12[34].*mean subtracted.*--normalization"):
        known(path, ends)
    with pytest.raises(ExportError, match=r"represents -12[34].*contradicts 0\.\.255"):
        known(path, ends, input_range="0..255")
    assert known(path, ends, normalization="caffe").reading == PRESETS["caffe"]


def test_the_edit_of_a_quantized_file_is_exact(tmp_path):
    """The levels that the graph computes from pixels are those of NumPy, for every pixel value and channel."""
    from ai_edge_litert.interpreter import Interpreter

    reading = Reading("test", (120.0, 110.0, 100.0), (60.0, 55.0, 50.0), bgr=True)
    every = np.arange(256, dtype=np.uint8)[:, None].repeat(3, axis=1).reshape(1, 16, 16, 3)
    path = colour_tflite(tmp_path / "model.tflite", samples=reading.apply(every), io="int8")
    old = Interpreter(str(path))
    scale, zero_point = old.get_input_details()[0]["quantization"]
    levels = np.clip(np.rint(reading.apply(every) / scale) + zero_point, -128, 127)
    (tmp_path / "edited.tflite").write_bytes(with_pixel_input(path, read_ends(path), reading))
    new = Interpreter(str(tmp_path / "edited.tflite"), experimental_preserve_all_tensors=True)
    new.allocate_tensors()
    new.set_tensor(new.get_input_details()[0]["index"], every)
    new.invoke()
    assert np.abs(new.get_tensor(old.get_input_details()[0]["index"]).astype(int) - levels).max() <= 1


def test_a_device_refuses_a_quantized_input_with_a_mean_that_no_edit_removed(tmp_path):
    samples = PRESETS["caffe"].apply(np.concatenate([PIXELS, PIXELS // 255 * 255]))
    path = colour_tflite(tmp_path / "model.tflite", samples=samples, io="uint8", **CAFFE)
    with pytest.raises(InferenceError, match=r"its input represents -1.*not pixels in 0\.\.255"):
        open_backend(ModelFile.read(path), ModelSpec(16, 16, LABELS, "softmax"), backend="litert")


def test_integers_without_quantization_stand_for_themselves(tmp_path):
    from export.quiet_tensorflow import tf

    kernel = tf.constant(8 / 255 * (np.eye(3, dtype=np.float32) - 1 / 3))

    @tf.function(input_signature=[tf.TensorSpec((1, 16, 16, 3), tf.uint8)])
    def function(image):
        return tf.nn.softmax(tf.reduce_mean(tf.cast(image, tf.float32), (1, 2)) @ kernel)

    path = tmp_path / "model.tflite"
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()], function)
    path.write_bytes(converter.convert())
    ends = read_ends(path)
    assert (ends.represented, ends.precision) == ((0.0, 255.0), "float32")
    assert known(path, ends).reading == RANGES["0..255"]
    for reading in (RANGES["0..255"], RANGES["0..255"].reversed()):
        pixels = PIXELS[..., ::-1] if reading.bgr else PIXELS
        found = probabilities_of(path, ends, reading, pixels=pixels)
        assert found == pytest.approx(expected_probabilities(PIXELS), abs=2e-5)
