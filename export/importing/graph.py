"""Turn a TensorFlow function into one graph of float32 operations, with its weights as constants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from export.errors import ExportError
from export.importing.operations import operations_of, refuse_operations

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

INPUT, OUTPUT = "image", "edgewise_output"
EXACT, LOW_PRECISION = 1e-4, 0.25  # of the largest output; models of 16 bits compute other values in float32
# Integers that can hold pixels in 0..255.
PIXEL_TYPES = ("uint8", "int16", "uint16", "int32", "int64")
FLOAT_TYPES = ("float32", "float16", "bfloat16", "float64")
PROBE_IMAGES, PROBE_SEED = 3, 0


@dataclass(frozen=True)
class ImportedGraph:
    """A classifier as a graph.

    Attributes:
        content: a serialized GraphDef with the placeholder INPUT, float32 (None, height, width, channels), and OUTPUT,
            float32 (None, classes).
        input_type: the type of the original input, such as "float32" or "uint8"; for integers, the graph takes the same
            values as float32.
        notes: what was changed, for the user.

    """

    content: bytes
    input_type: str
    notes: tuple[str, ...] = ()


def import_function(
    call: Callable[[Any], Any], shape: Sequence[int | None], input_type: str, path: Path
) -> ImportedGraph:
    """Freeze a function of one batch of images.

    Args:
        call: from a tensor of `shape` to one tensor of scores.
        shape: (N, height, width, channels); None for sizes that are not fixed.
        input_type: the type of its input.
        path: the model, for messages.

    Raises:
        ExportError: it has operations that are refused, needs a fixed batch, or computes other values as a graph.

    """
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    from export.quiet_tensorflow import tf

    if input_type not in (*PIXEL_TYPES, *FLOAT_TYPES):
        raise ExportError(f"{path}: its input is {input_type}; a classifier takes images as numbers")
    if len(shape) != len(("N", "height", "width", "channels")):
        raise ExportError(
            f"{path}: its input has shape {tuple(shape)}; a classifier takes images, (N, height, width, 3)"
        )
    function = tf.function(call).get_concrete_function(tf.TensorSpec(shape, input_type, name=INPUT))
    frozen = convert_variables_to_constants_v2(function, lower_control_flow=False)
    if len(frozen.inputs) != 1:
        raise ExportError(f"{path}: uses tables or other resources that cannot become part of a graph")
    graph = frozen.graph.as_graph_def()
    refuse_operations(operations_of(graph), path)
    taken, (given,) = frozen.inputs[0].op.name, frozen.outputs
    notes = _to_float32(graph)
    if shape[0] is not None:
        _free_batch(graph, frozen.graph, int(shape[0]))
    _take_floats(graph, taken, input_type)
    _finish(graph, given.name, list(given.shape) if given.shape.rank is not None else None)
    imported = ImportedGraph(graph.SerializeToString(), input_type, tuple(notes))
    if None not in shape[1:]:
        _check_values(function, imported, shape, path)
    return imported


def _to_float32(graph: Any) -> list[str]:  # noqa: ANN401 - a protobuf
    """Replace every other float type by float32; return a note of each."""
    from export.quiet_tensorflow import tf

    others = {getattr(tf, name).as_datatype_enum: name for name in FLOAT_TYPES[1:]}
    wanted = tf.float32.as_datatype_enum
    found: set[str] = set()
    for function in graph.library.function:
        for argument in (*function.signature.input_arg, *function.signature.output_arg):
            argument.type = wanted if argument.type in others else argument.type
    for node in (*graph.node, *(node for function in graph.library.function for node in function.node_def)):
        node.attr.pop("_output_shapes", None)
        for value in node.attr.values():
            types = {value.type, *value.list.type} | ({value.tensor.dtype} if value.HasField("tensor") else set())
            found |= {others[kind] for kind in types if kind in others}
            if value.type in others:
                value.type = wanted
            if value.HasField("list"):  # a field that is only read must not be written, which would select it
                value.list.type[:] = [wanted if kind in others else kind for kind in value.list.type]
            if value.HasField("tensor") and value.tensor.dtype in others:
                array = tf.make_ndarray(value.tensor).astype(np.float32)
                value.tensor.CopyFrom(tf.make_tensor_proto(array))
    return [f"its {name} operations compute in float32" for name in sorted(found)]


def _free_batch(graph: Any, shapes: Any, batch: int) -> None:  # noqa: ANN401 - protobufs and TensorFlow
    """Replace a fixed batch size in the shapes of reshaped tensors by -1; whether this is right is checked by values.

    Args:
        graph: the graph to change.
        shapes: the same graph in TensorFlow, which knows the shape of each tensor.
        batch: the fixed batch size.

    """
    from export.quiet_tensorflow import tf

    for node in [node for node in graph.node if node.op == "Reshape"]:
        shape = shapes.get_operation_by_name(node.name).outputs[0].shape
        if shape.is_fully_defined() and shape.rank and shape[0] == batch:
            size = graph.node.add(name=f"{node.name}/any_batch", op="Const")
            size.attr["dtype"].type = tf.int32.as_datatype_enum
            size.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(np.array([-1, *shape[1:]], np.int32)))
            node.input[1] = size.name
            node.attr["Tshape"].type = tf.int32.as_datatype_enum


def _take_floats(graph: Any, name: str, input_type: str) -> None:  # noqa: ANN401 - a protobuf
    """Make the placeholder float32 with any batch size, and name it INPUT."""
    from export.quiet_tensorflow import tf

    (placeholder,) = (node for node in graph.node if node.name == name)
    placeholder.attr["dtype"].type = tf.float32.as_datatype_enum
    placeholder.attr["shape"].shape.dim[0].size = -1
    if input_type in FLOAT_TYPES:
        return
    integer = getattr(tf, input_type).as_datatype_enum
    readers = [node for node in graph.node if name in {item.split(":")[0] for item in node.input}]
    if all(node.op == "Cast" for node in readers):
        for node in readers:
            node.attr["SrcT"].type = tf.float32.as_datatype_enum
        return
    cast = graph.node.add(name="edgewise_pixels", op="Cast", input=[name])
    cast.attr["SrcT"].type, cast.attr["DstT"].type = tf.float32.as_datatype_enum, integer
    for node in readers:
        node.input[:] = [cast.name if item.split(":")[0] == name else item for item in node.input]


def _finish(graph: Any, name: str, shape: list[int | None] | None) -> None:  # noqa: ANN401 - a protobuf
    """Add OUTPUT; scores of shape (N, 1, 1, classes) become (N, classes)."""
    from export.quiet_tensorflow import tf

    node, port = name.split(":")
    source = node if port == "0" else name
    floating = tf.float32.as_datatype_enum
    if shape and len(shape) == len(("N", 1, 1, "classes")) and shape[1:3] == [1, 1] and shape[3]:
        size = graph.node.add(name="edgewise_shape", op="Const")
        size.attr["dtype"].type = tf.int32.as_datatype_enum
        size.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(np.array([-1, shape[3]], np.int32)))
        flat = graph.node.add(name=OUTPUT, op="Reshape", input=[source, size.name])
        flat.attr["T"].type, flat.attr["Tshape"].type = floating, tf.int32.as_datatype_enum
    else:
        graph.node.add(name=OUTPUT, op="Identity", input=[source]).attr["T"].type = floating


def _check_values(function: Any, imported: ImportedGraph, shape: Sequence[int | None], path: Path) -> None:  # noqa: ANN401 - TensorFlow is not typed
    """Raise ExportError unless the graph computes what the function did, also for another batch and another order."""
    from export.quiet_tensorflow import quiet_stderr, tf

    count = shape[0] or PROBE_IMAGES
    rng = np.random.default_rng(PROBE_SEED)
    pixels = rng.integers(0, 256, (count + 1, *(int(side or 0) for side in shape[1:])))
    pixels //= np.arange(1, count + 2)[:, None, None, None]  # images of unlike brightness
    images = pixels if imported.input_type in PIXEL_TYPES else pixels / 255.0
    result = function(tf.constant(images[:count], imported.input_type))
    expected = np.asarray(tf.cast(result, tf.float32)).reshape(count, -1)
    try:
        with quiet_stderr():
            graph = graph_function(imported.content)
            forward, backward = (
                np.asarray(graph(tf.constant(values, tf.float32))) for values in (images, images[::-1])
            )
    except (tf.errors.OpError, ValueError):
        forward = backward = np.empty((0, 0), np.float32)
    if not forward.size == backward.size == (count + 1) * expected.shape[1]:
        raise ExportError(f"{path}: works only for batches of {count} images; export it with a batch size of None")
    forward, backward = (values.reshape(count + 1, -1)[:count] for values in (forward, backward[::-1]))
    same = _close(expected, forward, LOW_PRECISION if imported.notes else EXACT) and _close(forward, backward, EXACT)
    if not same:
        difference = float(max(np.abs(expected - forward).max(), np.abs(forward - backward).max()))
        raise ExportError(
            f"{path}: gives other outputs as a graph, by up to {difference:.3g}; it may depend on the other images of "
            "a batch or on random numbers"
        )


def _close(expected: NDArray[np.float32], found: NDArray[np.float32], relative: float) -> bool:
    if not np.isfinite(expected).all():
        return True  # judged on real images
    return bool(np.abs(expected - found).max() <= relative * max(1.0, float(np.abs(expected).max())))


def graph_function(content: bytes, *tensors: str) -> Any:  # noqa: ANN401 - TensorFlow is not typed
    """Return a serialized graph as a TensorFlow function from INPUT to OUTPUT, or to a list of other tensors."""
    from export.quiet_tensorflow import tf

    graph = tf.compat.v1.GraphDef.FromString(content)
    imported = tf.compat.v1.wrap_function(lambda: tf.graph_util.import_graph_def(graph, name=""), [])
    return imported.prune(f"{INPUT}:0", list(tensors) or f"{OUTPUT}:0")
