"""Convert a Keras classifier to ONNX files for ONNX Runtime."""

from __future__ import annotations

import copy
import re
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from export.convert.familiarity_limit import set_own_limit
from export.convert.metadata import INPUT_NAME, OUTPUT_NAME, onnx_properties
from export.errors import ExportError
from export.settings import Settings
from export.sources.familiarity import LAYER

if TYPE_CHECKING:
    from edge_runtime.image.preprocess import Pixels
    from edge_runtime.model.spec import ModelSpec

# Old enough for onnxruntime 1.19, which a device with an older Python may have.
OPSET = 17
IR_VERSION = 8
MOST_AT_ONCE = 10
COUNTER = re.compile(r"__\d+$")


def to_onnx(model: Any, spec: ModelSpec) -> Any:  # noqa: ANN401 - Keras and onnx protos
    """Convert a Keras classifier to a float32 ONNX model.

    Args:
        model: from float32 pixels 0..255, (N, height, width, 3), to probabilities.
        spec: its spec.

    Returns:
        A ModelProto with input `image` of shape (batch, height, width, 3) and output `probabilities`.

    Raises:
        ExportError: tf2onnx refuses an operation.

    """
    from export.quiet_tensorflow import quiet_stderr, tf

    signature = tf.TensorSpec((None, spec.height, spec.width, spec.channels), tf.float32, name=INPUT_NAME)
    # A plain function, because tf2onnx's from_keras does not support Keras 3's tensor names.
    serve = tf.function(lambda image: {OUTPUT_NAME: model(image, training=False)})
    try:
        with quiet_stderr():
            import tf2onnx

            proto, _ = tf2onnx.convert.from_function(serve, [signature], opset=OPSET)
    except Exception as problem:  # tf2onnx raises bare exceptions
        raise ExportError(f"ONNX float32: tf2onnx failed: {problem}") from problem
    proto.ir_version = IR_VERSION
    _without_erfc(proto.graph)
    _refuse_unknown(proto)
    for key, value in onnx_properties(spec).items():
        proto.metadata_props.add(key=key, value=value)
    make_canonical(proto.graph)
    for value in (*proto.graph.input, *proto.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    return proto


def _without_erfc(graph: Any) -> None:  # noqa: ANN401 - an onnx proto
    """Replace Erfc(x), with which Keras computes GELU and which tf2onnx leaves as it is, by 1 - Erf(x)."""
    from onnx import helper, numpy_helper

    for at, node in reversed(list(enumerate(graph.node))):
        if node.op_type == "Erfc":
            one, inner = f"{node.name}/one", f"{node.name}/erf"
            graph.initializer.append(numpy_helper.from_array(np.array(1, np.float32), one))
            parts = (
                helper.make_node("Erf", list(node.input), [inner], name=inner),
                helper.make_node("Sub", [one, inner], list(node.output), name=node.name),
            )
            del graph.node[at]
            for part in reversed(parts):
                graph.node.insert(at, part)


def _refuse_unknown(proto: Any) -> None:  # noqa: ANN401 - an onnx proto
    """Raise ExportError if tf2onnx left operations in the graph that it does not support; it only logs them."""
    from onnx import defs

    for node in proto.graph.node:
        if node.domain in {"", "ai.onnx"} and not defs.has(node.op_type):
            raise ExportError(f"ONNX float32: tf2onnx does not support the operation {node.op_type}")


def make_canonical(graph: Any) -> None:  # noqa: ANN401 - an onnx proto
    """Order and name nodes and weights only by their use.

    tf2onnx numbers them with a counter that continues from one conversion to the next and in the order of sets, sorts
    by these names, and keeps any one of equal constants: equal models would give different files.
    """
    graph.ClearField("doc_string")
    graph.ClearField("value_info")
    nodes = _in_order_of_use(graph)
    weights = {item.name: item for item in graph.initializer}
    renamed = {value.name: value.name for value in (*graph.input, *graph.output)}
    seen: Counter[str] = Counter()
    for node in nodes:
        base = COUNTER.sub("", node.name)
        seen[base] += 1
        node.name = base if seen[base] == 1 else f"{base}__{seen[base]}"
        for at, name in enumerate(node.input):
            if name in weights:
                renamed.setdefault(name, f"{node.name}/input_{at}")
        for at, name in enumerate(node.output):
            renamed.setdefault(name, f"{node.name}:{at}")
        node.input[:] = [renamed.get(name, name) for name in node.input]
        node.output[:] = [renamed[name] for name in node.output]
    used = [copy.deepcopy(weights[name]) for name in renamed if name in weights]
    for item in used:
        item.name = renamed[item.name]
    for field, items in (("node", nodes), ("initializer", used)):
        graph.ClearField(field)
        getattr(graph, field).extend(items)


def _in_order_of_use(graph: Any) -> list[Any]:  # noqa: ANN401 - an onnx proto
    """Return the nodes that the outputs need, each after those that compute its inputs, first inputs first."""
    makers = {name: node for node in graph.node for name in node.output}
    ordered: dict[str, Any] = {}  # by a node's first output
    waiting = [makers[value.name] for value in reversed(graph.output)]
    while waiting:
        needed = [makers[name] for name in waiting[-1].input if name in makers]
        missing = next((node for node in needed if node.output[0] not in ordered), None)
        if missing is not None:
            waiting.append(missing)
            continue
        node = waiting.pop()
        ordered[node.output[0]] = node
    return [copy.deepcopy(node) for node in ordered.values()]


def halve_onnx(float_file: Path, half_file: Path) -> None:
    """Store a float32 ONNX file's weights and inner activations as float16; its input and output stay float32."""
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    model = convert_float_to_float16(onnx.load(float_file), keep_io_types=True)
    model.ir_version = IR_VERSION
    half_file.write_bytes(model.SerializeToString())


def quantize_onnx(
    float_file: Path,
    int8_file: Path,
    calibration: Pixels,
    settings: Settings | None = None,
    *,
    unseen: Pixels | None = None,
) -> None:
    """Quantize a float32 ONNX file statically to int8, QDQ form, weights per channel.

    Args:
        float_file: from `to_onnx`.
        int8_file: the destination.
        calibration: preprocessed training images, uint8 (N, height, width, 3).
        settings: the calibration method and the target that decides the type of the activations.
        unseen: photographs in the form of `calibration` that the familiarity was not fitted to, which place its limit;
            None uses the calibration images.

    Raises:
        ExportError: the quantizer fails.

    """
    from export.quiet_tensorflow import quiet_stderr

    try:
        with quiet_stderr(), tempfile.TemporaryDirectory(dir=int8_file.parent) as scratch:
            prepared = Path(scratch) / "prepared.onnx"
            if _quantize(float_file, int8_file, calibration, prepared, settings or Settings()):
                set_own_limit(int8_file, float_file, calibration if unseen is None else unseen)
    except Exception as problem:  # the quantizer raises bare exceptions
        raise ExportError(f"ONNX int8: onnxruntime's quantizer failed: {problem}") from problem


def _quantize(float_file: Path, int8_file: Path, calibration: Pixels, prepared: Path, settings: Settings) -> bool:
    """Quantize, and return whether the model computes a familiarity."""
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    methods = {
        "minmax": CalibrationMethod.MinMax,
        "percentile": CalibrationMethod.Percentile,
        "entropy": CalibrationMethod.Entropy,
    }
    quant_pre_process(str(float_file), str(prepared))
    protected = _familiarity_nodes(prepared)
    quantize_static(
        str(prepared),
        str(int8_file),
        _reader(calibration),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        # Arm's kernels are fastest with both signed; x86-64's with unsigned activations and signed weights.
        activation_type=QuantType.QInt8 if settings.target == "arm" else QuantType.QUInt8,
        weight_type=QuantType.QUInt8 if settings.target == "any" else QuantType.QInt8,
        # Without VNNI, x86-64's kernels add two products of bytes in 16 bits, which saturate unless signed weights have
        # 7 bits (onnxruntime.ai/docs/performance/model-optimizations/quantization.html); signed activations are
        # converted to unsigned ones there. For three MobileNetV2s, 8 signed bits changed the class of about 8 images of
        # 222, 7 bits of 5 to 9 and unsigned weights of 3 to 5.
        reduce_range=settings.target != "any",
        nodes_to_exclude=protected,
        calibrate_method=methods[settings.calibration_method],
        # Otherwise the activations of all images are in memory at the same time: gigabytes for a MobileNet.
        extra_options={"CalibStridedMinMax": _stride(len(calibration))},
    )
    return bool(protected)


def _familiarity_nodes(path: Path) -> list[str]:
    """Return the names of the nodes that compute the familiarity; their values are ratios, which 8 bits spoil."""
    import onnx

    return [node.name for node in onnx.load(path).graph.node if LAYER in node.name]


def _stride(images: int) -> int:
    """Return the largest number of images up to MOST_AT_ONCE that divides their total, as the quantizer requires."""
    return next(stride for stride in range(MOST_AT_ONCE, 0, -1) if images % stride == 0)


def _reader(calibration: Pixels) -> Any:  # noqa: ANN401 - onnxruntime is not typed
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):  # type: ignore[misc]  # an untyped base class
        """Pass the calibration images to the quantizer, one at a time."""

        def __init__(self) -> None:
            self._images = iter(calibration)

        def __len__(self) -> int:
            return len(calibration)

        def set_range(self, start_index: int, end_index: int) -> None:
            self._images = iter(calibration[start_index:end_index])

        def get_next(self) -> dict[str, np.ndarray[Any, Any]] | None:
            image = next(self._images, None)
            return None if image is None else {INPUT_NAME: image[np.newaxis].astype(np.float32)}

    return Reader()
