import numpy as np
import pytest

from edge_runtime.model.spec import ModelSpec
from export.convert.flatbuffer import PER_TENSOR_VERSION
from export.convert.tflite import freeze, to_tflite
from export.errors import ExportError
from export.quiet_tensorflow import keras
from export.settings import Settings
from export.sources.run import read_run


def interpreter_details(model: bytes):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=model)
    interpreter.allocate_tensors()
    return interpreter.get_input_details()[0], interpreter.get_output_details()[0]


def fully_connected_versions(model: bytes) -> set[int]:
    from tensorflow.lite.python.schema_py_generated import BuiltinOperator
    from tensorflow.lite.tools import flatbuffer_utils

    codes = flatbuffer_utils.convert_bytearray_to_object(bytearray(model)).operatorCodes
    return {code.version for code in codes if code.builtinCode == BuiltinOperator.FULLY_CONNECTED}


@pytest.fixture(scope="module")
def source(tiny_run):
    return read_run(tiny_run.folder)


@pytest.fixture(scope="module")
def frozen(source):
    return freeze(source.model, source.spec)


@pytest.mark.parametrize("precision", ["float32", "float16", "dynamic", "int8", "int16x8"])
def test_every_file_names_its_ends_image_and_probabilities(frozen, source, precision):
    taken, given = interpreter_details(to_tflite(frozen, precision, source.calibration, spec=source.spec))
    assert (taken["name"], given["name"]) == ("image", "probabilities")
    assert taken["shape"].tolist() == [1, 24, 24, 3]


def test_int8_takes_pixels_as_they_are(frozen, source):
    taken, given = interpreter_details(to_tflite(frozen, "int8", source.calibration, spec=source.spec))
    assert taken["dtype"] == given["dtype"] == np.uint8
    assert taken["quantization"] == (1.0, 0)


@pytest.mark.parametrize("taken", ["uint8", "int8", "float32"])
@pytest.mark.parametrize("given", ["uint8", "float32"])
def test_int8_has_the_input_and_output_types_asked_for(frozen, source, taken, given):
    settings = Settings(int8_input=taken, int8_output=given)
    details = interpreter_details(to_tflite(frozen, "int8", source.calibration, spec=source.spec, settings=settings))
    assert [detail["dtype"] for detail in details] == [np.dtype(taken), np.dtype(given)]


def test_a_file_carries_metadata_with_its_labels(frozen, source):
    import io
    import zipfile

    content = to_tflite(frozen, "float32", source.calibration, spec=source.spec)
    assert b"TFLITE_METADATA" in content
    assert b"M001" in content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.read("labels.txt").decode().split() == list(source.spec.labels)


def test_converting_twice_gives_equal_bytes(frozen, source):
    assert to_tflite(frozen, "int8", source.calibration, spec=source.spec) == to_tflite(
        frozen, "int8", source.calibration, spec=source.spec
    )


def test_a_wide_one_unit_dense_layer_stays_per_tensor_for_old_runtimes():
    spec = ModelSpec(16, 16, ("no", "yes"), "sigmoid")
    image = keras.Input((16, 16, 3))
    x = keras.layers.Flatten()(keras.layers.Conv2D(16, 3)(image))  # 3136 inputs: large enough to be quantized
    model = keras.Model(image, keras.layers.Dense(1, activation="sigmoid")(x))
    converted = to_tflite(freeze(model, spec), "dynamic", np.zeros((1, 16, 16, 3), np.uint8), spec=spec)
    assert fully_connected_versions(converted) == {PER_TENSOR_VERSION}


def test_an_operation_without_a_builtin_kernel_fails_at_conversion_and_is_named():
    from export.quiet_tensorflow import tf

    image = keras.Input((8, 8, 3))
    x = keras.layers.Lambda(lambda value: tf.math.igamma(value + 1.0, value + 1.0))(image)
    model = keras.Model(image, keras.layers.Dense(2, activation="softmax")(keras.layers.Flatten()(x)))
    spec = ModelSpec(8, 8, ("a", "b"), "softmax")
    with pytest.raises(ExportError, match=r"TFLite float32: .*Igamma"):
        to_tflite(freeze(model, spec), "float32", np.zeros((1, 8, 8, 3), np.uint8), spec=spec)
