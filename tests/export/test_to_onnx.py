import numpy as np
import onnx
import pytest

from export.source_model import read_run
from export.to_onnx import IR_VERSION, OPSET, quantize_onnx, to_onnx


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


def test_int8_weights_are_signed_bytes(float_file, source, tmp_path):
    path = tmp_path / "int8.onnx"
    quantize_onnx(float_file, path, source.calibration[:20])
    weights = [onnx.numpy_helper.to_array(item) for item in onnx.load(path).graph.initializer]
    assert any(item.dtype == np.int8 and item.ndim == 4 for item in weights)
