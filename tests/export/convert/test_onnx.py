import json

import numpy as np
import onnx
import pytest

from export.convert.onnx import IR_VERSION, OPSET, halve_onnx, quantize_onnx, to_onnx
from export.settings import Settings
from export.sources.run import read_run


@pytest.fixture(scope="module")
def source(tiny_run):
    return read_run(tiny_run.folder)


@pytest.fixture(scope="module")
def float_file(source, tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    path.write_bytes(to_onnx(source.model, source.spec).SerializeToString())
    return path


def test_the_file_is_valid_and_old_enough_for_old_runtimes(float_file):
    model = onnx.load(float_file)
    onnx.checker.check_model(model, full_check=True)
    assert model.ir_version == IR_VERSION
    assert {entry.domain: entry.version for entry in model.opset_import}[""] == OPSET


def test_a_conversion_gives_equal_bytes_wherever_the_converters_counter_stands(float_file, source, monkeypatch):
    import tf2onnx

    for count in (7, 95):  # names are sorted as text, so the tenth and the hundredth change places
        monkeypatch.setattr(tf2onnx.utils, "INTERNAL_NAME", count)
        assert to_onnx(source.model, source.spec).SerializeToString() == float_file.read_bytes()


def test_int8_weights_leave_room_for_kernels_that_add_in_16_bits(float_file, source, tmp_path):
    quantize_onnx(float_file, tmp_path / "int8.onnx", source.calibration[:20])
    weights = [onnx.numpy_helper.to_array(item) for item in onnx.load(tmp_path / "int8.onnx").graph.initializer]
    assert all(np.abs(item.astype(int)).max() <= 64 for item in weights if item.dtype == np.int8 and item.ndim > 1)


def test_its_ends_are_image_and_probabilities_with_a_free_batch(float_file):
    graph = onnx.load(float_file).graph
    for (value,), name in ((graph.input, "image"), (graph.output, "probabilities")):
        assert value.name == name
        assert value.type.tensor_type.shape.dim[0].dim_param == "batch"


def test_the_int8_file_is_qdq_with_a_scale_a_channel(float_file, source, tmp_path):
    path = tmp_path / "int8.onnx"
    quantize_onnx(float_file, path, source.calibration[:20])
    model = onnx.load(path)
    assert {"QuantizeLinear", "DequantizeLinear"} <= {node.op_type for node in model.graph.node}
    scales = [onnx.numpy_helper.to_array(item) for item in model.graph.initializer if item.name.endswith("_scale")]
    assert max(scale.size for scale in scales) > 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["int8.onnx"]


@pytest.mark.parametrize(("target", "dtype", "low", "high"), [("any", np.uint8, 0, 255), ("arm", np.int8, -64, 64)])
def test_no_kernel_saturates_with_the_bits_of_the_weights(float_file, source, tmp_path, target, dtype, low, high):
    path = tmp_path / "int8.onnx"
    quantize_onnx(float_file, path, source.calibration[:20], Settings(target=target))
    weights = [onnx.numpy_helper.to_array(item) for item in onnx.load(path).graph.initializer]
    kernels = [item for item in weights if item.dtype == dtype and item.ndim == 4]
    assert kernels
    assert all(low <= item.min() and item.max() <= high for item in kernels)


def activation_types(path):
    """Give the types of the zero points of what is quantized at run time."""
    graph = onnx.load(path).graph
    points = {item.name: onnx.numpy_helper.to_array(item).dtype for item in graph.initializer}
    return {points[node.input[2]] for node in graph.node if node.op_type == "QuantizeLinear"}


@pytest.mark.parametrize(("target", "dtype"), [("any", np.uint8), ("arm", np.int8), ("x86", np.uint8)])
def test_the_target_sets_the_type_of_activations(float_file, source, tmp_path, target, dtype):
    path = tmp_path / "int8.onnx"
    quantize_onnx(float_file, path, source.calibration[:20], Settings(target=target))
    assert activation_types(path) == {np.dtype(dtype)}


@pytest.mark.parametrize("method", ["percentile", "entropy"])
def test_other_calibration_methods_give_other_ranges(float_file, source, tmp_path, method):
    paths = tmp_path / "minmax.onnx", tmp_path / "other.onnx"
    quantize_onnx(float_file, paths[0], source.calibration[:21])
    quantize_onnx(float_file, paths[1], source.calibration[:21], Settings(calibration_method=method))
    assert paths[0].read_bytes() != paths[1].read_bytes()


def test_float16_halves_the_file_and_keeps_float32_ends(float_file, tmp_path):
    path = tmp_path / "half.onnx"
    halve_onnx(float_file, path)
    graph = onnx.load(path).graph
    float32 = onnx.TensorProto.FLOAT
    assert [value.type.tensor_type.elem_type for value in (*graph.input, *graph.output)] == [float32, float32]
    assert path.stat().st_size < 0.6 * float_file.stat().st_size


def test_the_file_contains_its_labels_and_preprocessing(float_file, source):
    told = {item.key: item.value for item in onnx.load(float_file).metadata_props}
    assert json.loads(told["labels"]) == list(source.spec.labels)
    assert json.loads(told["input"])["range"] == [0, 255]
