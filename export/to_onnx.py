"""Convert a Keras classifier to ONNX files for ONNX Runtime."""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from export.errors import ExportError
from export.names import INPUT_NAME, OUTPUT_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge_runtime.preprocess import Pixels
    from edge_runtime.spec import ModelSpec

# Old enough for onnxruntime 1.19, which a device on an older Python may have.
OPSET = 17
IR_VERSION = 8
COUNTER = re.compile(r"__\d+(?=(:\d+)?$)")


def to_onnx(model: Any, spec: ModelSpec) -> Any:  # noqa: ANN401 - Keras and onnx protos
    """Convert a Keras classifier to a float32 ONNX model.

    Args:
        model: from float32 pixels 0..255, (N, height, width, 3), to probabilities.
        spec: its contract.

    Returns:
        A ModelProto with input `image` of shape (batch, height, width, 3) and output `probabilities`.

    Raises:
        ExportError: tf2onnx refuses an operation.

    """
    from export.tensorflow_quietly import quiet_stderr, tf

    signature = tf.TensorSpec((None, spec.height, spec.width, 3), tf.float32, name=INPUT_NAME)
    # A plain function: tf2onnx's from_keras does not know Keras 3's tensor names.
    serve = tf.function(lambda image: {OUTPUT_NAME: model(image, training=False)})
    try:
        with quiet_stderr():
            import tf2onnx

            proto, _ = tf2onnx.convert.from_function(serve, [signature], opset=OPSET)
    except Exception as problem:  # tf2onnx raises bare exceptions
        raise ExportError(f"ONNX float32: tf2onnx failed: {problem}") from problem
    proto.ir_version = IR_VERSION
    _renumber(proto.graph)
    for value in (*proto.graph.input, *proto.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    return proto


def _renumber(graph: Any) -> None:  # noqa: ANN401 - an onnx proto
    """Replace the counters in tf2onnx's names, which go on from one conversion to the next, by the order of use."""
    graph.ClearField("doc_string")
    kept = {value.name for value in (*graph.input, *graph.output)}
    renamed: dict[str, str] = {}
    seen: Counter[str] = Counter()
    for name in _names_in_order(graph):
        if name in kept or name in renamed or not name:
            continue
        base = COUNTER.sub("", name)
        seen[base] += 1
        renamed[name] = base if seen[base] == 1 else f"{base}__{seen[base]}"
    for node in graph.node:
        node.name = renamed.get(node.name, node.name)
        node.input[:] = [renamed.get(name, name) for name in node.input]
        node.output[:] = [renamed.get(name, name) for name in node.output]
    for item in (*graph.initializer, *graph.value_info):
        item.name = renamed.get(item.name, item.name)


def _names_in_order(graph: Any) -> Iterator[str]:  # noqa: ANN401 - an onnx proto
    for node in graph.node:
        yield from (node.name, *node.input, *node.output)


def quantize_onnx(float_file: Path, int8_file: Path, calibration: Pixels) -> None:
    """Quantize a float32 ONNX file statically to int8, QDQ form, weights per channel.

    Args:
        float_file: from `to_onnx`.
        int8_file: where to write.
        calibration: preprocessed training images, uint8 (N, height, width, 3).

    Raises:
        ExportError: the quantizer fails.

    """
    from export.tensorflow_quietly import quiet_stderr

    try:
        with quiet_stderr(), tempfile.TemporaryDirectory(dir=int8_file.parent) as scratch:
            _quantize(float_file, int8_file, calibration, Path(scratch) / "prepared.onnx")
    except Exception as problem:  # the quantizer raises bare exceptions
        raise ExportError(f"ONNX int8: onnxruntime's quantizer failed: {problem}") from problem


def _quantize(float_file: Path, int8_file: Path, calibration: Pixels, prepared: Path) -> None:
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    quant_pre_process(str(float_file), str(prepared))
    quantize_static(
        str(prepared),
        str(int8_file),
        _reader(calibration),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        # Signed on both sides is what Arm's kernels take fastest.
        activation_type=QuantType.QInt8,
        weight_type=QuantType.QInt8,
    )


def _reader(calibration: Pixels) -> Any:  # noqa: ANN401 - onnxruntime is not typed
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):  # type: ignore[misc]  # an untyped base class
        def __init__(self) -> None:
            self._images = iter(calibration)

        def get_next(self) -> dict[str, np.ndarray[Any, Any]] | None:
            image = next(self._images, None)
            return None if image is None else {INPUT_NAME: image[np.newaxis].astype(np.float32)}

    return Reader()
