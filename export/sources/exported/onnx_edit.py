"""Edit an ONNX graph so that it takes RGB pixels in rows and returns one probability for each class."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from export.errors import ExportError
from export.sources.exported.onnx_ends import load, only_ends, set_shape

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from export.sources.exported.ends import ModelEnds
    from export.sources.keras_model import Head
    from export.sources.reading import Reading

# Before this operator set, Mul and Add broadcast only if an attribute says so.
OLDEST_OPSET, CONVERTED_OPSET = 7, 13
# What the file format gained afterwards is not used by operator sets up to 21, and older runtimes refuse it.
IR_VERSION, ITS_OPSET = 10, 21
OLDEST_IR_VERSION = 4
MOST_BYTES = 2**31  # of one protocol buffer
BATCH = "batch"
STALE_PROPERTIES = ("Image.", "input")


def pixel_onnx(path: Path, ends: ModelEnds, reading: Reading, head: Head) -> bytes:
    """Return an ONNX file that takes pixels, (batch, height, width, channels), and returns (batch, units).

    Args:
        path: the file.
        ends: its input and output.
        reading: how its input is computed from pixels; it becomes a part of the graph.
        head: "logits" adds the missing softmax or sigmoid.

    Raises:
        ExportError: its operator set is too old, or the new file is too large.

    """
    model = _recent(load(path), path)
    model.graph.ClearField("value_info")  # stale once the input has another size
    batch = None if ends.batch is None else 1
    if ends.batch not in {None, 1}:
        _rewrite_reshapes(model.graph, int(ends.batch or 1))
    front, back = _Chain(model.graph), _Chain(model.graph)
    taken, given = only_ends(model, path)
    _take_pixels(front, taken, ends, reading, batch)
    _give_probabilities(back, given, ends, head, batch)
    is_changed = front.nodes or back.nodes or ends.resized or ends.batch not in {None, 1}
    if not is_changed and not _is_external(path):
        return path.read_bytes()
    _state_pixels(model, ends)
    nodes = [*front.nodes, *model.graph.node, *back.nodes]
    model.graph.ClearField("node")
    model.graph.node.extend(nodes)
    opset = max(item.version for item in model.opset_import if item.domain in {"", "ai.onnx"})
    if opset <= ITS_OPSET:
        model.ir_version = min(model.ir_version, IR_VERSION)
    # Older formats list every weight among the inputs, which those that were added here are not.
    model.ir_version = max(model.ir_version, OLDEST_IR_VERSION)
    if model.ByteSize() >= MOST_BYTES:
        raise ExportError(f"{path}: larger than 2 GiB with its weights, which one ONNX file cannot be")
    return bytes(model.SerializeToString())


class _Chain:
    """Nodes that are executed one after the other, with names that the graph does not have."""

    def __init__(self, graph: Any) -> None:  # noqa: ANN401 - an onnx proto
        self._graph = graph
        self._names = {name for node in graph.node for name in (*node.input, *node.output)}
        self._names |= {value.name for value in (*graph.input, *graph.output, *graph.initializer)}
        self.nodes: list[Any] = []

    def name(self, wanted: str) -> str:
        """Return a name that is not used yet, and reserve it."""
        while wanted in self._names:
            wanted = f"edgewise_{wanted}"
        self._names.add(wanted)
        return wanted

    def add(self, operator: str, source: str, *constants: NDArray[Any], output: str = "", **attributes: Any) -> str:  # noqa: ANN401 - the values of ONNX's attributes
        """Add a node and return the name of its output."""
        from onnx import helper, numpy_helper

        inputs = [source]
        for constant in constants:
            inputs.append(self.name(f"{operator.lower()}_constant"))
            self._graph.initializer.append(numpy_helper.from_array(constant, inputs[-1]))
        output = output or self.name(f"pixels_{operator.lower()}")
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output


def _take_pixels(chain: _Chain, taken: Any, ends: ModelEnds, reading: Reading, batch: int | None) -> None:  # noqa: ANN401 - an onnx proto
    """Put the nodes that compute the old input before it, and make pixels the input."""
    from onnx import TensorProto

    old, old_type = taken.name, taken.type.tensor_type.elem_type
    shape = (BATCH if batch is None else batch, ends.height, ends.width, ends.channels)
    is_nhwc = ends.layout == "nhwc" and ends.rank == len(shape)
    if is_nhwc and reading.is_pixels and ends.input_type in {"float32", "uint8"}:
        set_shape(taken, shape)
        return
    current = taken.name = chain.name("image")
    set_shape(taken, shape)
    computed = TensorProto.UINT8 if ends.input_type == "uint8" else TensorProto.FLOAT
    taken.type.tensor_type.elem_type = computed
    if reading.bgr:
        current = chain.add("Gather", current, np.array([2, 1, 0], np.int64), axis=3)
    if np.any(reading.scale != 1) or np.any(reading.offset):
        if computed == TensorProto.UINT8:
            current, computed = chain.add("Cast", current, to=TensorProto.FLOAT), TensorProto.FLOAT
        current = chain.add("Mul", current, reading.scale.astype(np.float32))
        current = chain.add("Add", current, reading.offset.astype(np.float32))
    if ends.rank < len(shape):
        current = chain.add("Reshape", current, np.array([0, ends.height, ends.width], np.int64))
    elif ends.layout == "nchw":
        current = chain.add("Transpose", current, perm=[0, 3, 1, 2])
    if computed != old_type:
        current = chain.add("Cast", current, to=old_type)
    if not chain.nodes:
        chain.add("Identity", current)
    chain.nodes[-1].output[0] = old


def _give_probabilities(chain: _Chain, given: Any, ends: ModelEnds, head: Head, batch: int | None) -> None:  # noqa: ANN401 - an onnx proto
    """Put the nodes that compute one probability for each class after the old output."""
    from onnx import TensorProto

    current, kind = given.name, given.type.tensor_type
    flat = len(ends.output_shape) == len(("N", "units"))
    if not flat and len(ends.output_shape) == 1:
        current = chain.add("Reshape", current, np.array([1, ends.units], np.int64))
    elif not flat:
        current = chain.add("Flatten", current, axis=1)
    if kind.elem_type != TensorProto.FLOAT:
        current = chain.add("Cast", current, to=TensorProto.FLOAT)
        kind.elem_type = TensorProto.FLOAT
    if head == "logits":
        current = chain.add("Softmax", current, axis=1) if ends.units > 1 else chain.add("Sigmoid", current)
    if chain.nodes:
        given.name = chain.nodes[-1].output[0] = chain.name("probabilities")
    set_shape(given, (BATCH if batch is None else batch, ends.units))


def _state_pixels(model: Any, ends: ModelEnds) -> None:  # noqa: ANN401 - an onnx proto
    """Replace what the file stated about its old input by what is true of the new one."""
    kept = {item.key: item.value for item in model.metadata_props if not item.key.startswith(STALE_PROPERTIES)}
    color = "RGB" if ends.channels > 1 else "gray"
    kept["input"] = json.dumps({"layout": "NHWC", "color": color, "range": [0, 255]}, sort_keys=True)
    model.ClearField("metadata_props")
    for key, value in kept.items():
        model.metadata_props.add(key=key, value=value)


def _is_external(path: Path) -> bool:
    """Return whether a file's weights are in another file."""
    import onnx

    model = onnx.load(path, load_external_data=False)
    return any(onnx.external_data_helper.uses_external_data(item) for item in model.graph.initializer)


def _recent(model: Any, path: Path) -> Any:  # noqa: ANN401 - an onnx proto
    """Return the model in an operator set in which Mul and Add broadcast."""
    from onnx import version_converter

    opset = max((item.version for item in model.opset_import if item.domain in {"", "ai.onnx"}), default=1)
    if opset >= OLDEST_OPSET:
        return model
    try:
        return version_converter.convert_version(model, CONVERTED_OPSET)
    except Exception as problem:  # noqa: BLE001 - it raises RuntimeError and ValueError
        reason = " ".join(str(problem).split())
        raise ExportError(f"{path}: its operator set {opset} cannot be converted ({reason}); export it again") from None


def _rewrite_reshapes(graph: Any, batch: int) -> None:  # noqa: ANN401 - an onnx proto
    """Change the shapes to which the graph reshapes a whole batch to those of one image.

    Whether that is all that the batch needs is proved by running the file.
    """
    from onnx import numpy_helper

    targets = {node.input[1] for node in graph.node if node.op_type in {"Reshape", "Expand"}}
    constants = [item for item in graph.initializer if item.name in targets]
    for node in graph.node:
        if node.op_type == "Constant" and node.output[0] in targets:
            constants += [item.t for item in node.attribute if item.name == "value"]
    for item in constants:
        shape = numpy_helper.to_array(item).copy()
        if shape.size and shape.flat[0] == batch:
            shape.flat[0] = 1
            item.CopyFrom(numpy_helper.from_array(shape, item.name))
