"""Use an imported graph as a Keras model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from export.errors import ExportError
from export.importing.graph import INPUT, OUTPUT, graph_function
from export.importing.operations import operations_of, refuse_operations

if TYPE_CHECKING:
    from pathlib import Path

# Operations that change no value, or only its type or shape.
SAME_VALUES = {
    "Identity",
    "Reshape",
    "Squeeze",
    "ExpandDims",
    "Cast",
    "StopGradient",
    "CheckNumerics",
    "PreventGradient",
}
AFTER_DENSE = {*SAME_VALUES, "Softmax", "Sigmoid", "BiasAdd", "Add", "AddV2"}


def graph_model(content: bytes, path: Path) -> Any:  # noqa: ANN401 - Keras is not typed
    """Return a serialized graph as a Keras model, float32 (N, height, width, channels) to (N, classes).

    Raises:
        ExportError: it contains operations that are refused, or is damaged.

    """
    from google.protobuf.message import DecodeError

    from export.quiet_tensorflow import keras, tf

    try:
        graph = tf.compat.v1.GraphDef.FromString(content)
    except DecodeError as problem:
        raise ExportError(f"{path}: damaged: {problem}") from None
    refuse_operations(operations_of(graph), path)
    (placeholder,) = (node for node in graph.node if node.name == INPUT)
    sides = [size.size if size.size > 0 else None for size in placeholder.attr["shape"].shape.dim]
    image = keras.Input(tuple(sides[1:]))
    model = keras.Model(image, _layer(content)(image))
    model.imported_graph = content
    return model


def graph_with_features(model: Any) -> Any | None:  # noqa: ANN401 - Keras is not typed
    """Return a model of `graph_model` with two outputs: its pooled features, (N, D), and its scores.

    None if its pooled features are not found.
    """
    from export.quiet_tensorflow import keras

    content: bytes = model.imported_graph
    tensor = _pooled_tensor(content)
    if tensor is None:
        return None
    image = keras.Input(model.inputs[0].shape[1:])
    features, scores = _layer(content, tensor, f"{OUTPUT}:0")(image)
    if len(features.shape) == len(("N", 1, 1, "D")):
        features = keras.layers.Flatten()(features)
    if len(features.shape) != len(("N", "D")) or not features.shape[-1]:
        return None
    return keras.Model(image, [features, scores])


def _layer(content: bytes, *tensors: str) -> Any:  # noqa: ANN401 - the same
    """Return a layer that computes a graph's scores, or a list of other tensors."""
    from export.quiet_tensorflow import keras

    function = graph_function(content, *tensors)

    class ImportedGraph(keras.layers.Layer):  # type: ignore[misc] # Keras ships no types
        """Call the graph."""

        def call(self, images: Any) -> Any:  # noqa: ANN401 - the same
            """Return the tensors of a batch of images."""
            return function(images)

    return ImportedGraph()


def _pooled_tensor(content: bytes) -> str | None:
    """Return the name of the pooled features: the inputs of the last dense layer, or of a 1x1 convolution after a mean.

    They are found backwards from the scores, through operations that follow a dense layer.
    """
    from export.quiet_tensorflow import tf

    nodes = {node.name: node for node in tf.compat.v1.GraphDef.FromString(content).node}
    node = nodes[OUTPUT]
    while node.op in AFTER_DENSE:
        inputs = [nodes[name.split(":")[0]] for name in node.input if not name.startswith("^")]
        node = next((item for item in inputs if item.op != "Const"), inputs[0])
    if node.op not in {"MatMul", "Conv2D"}:
        return None
    name = node.input[0]
    if node.op == "Conv2D":
        source = nodes[name.split(":")[0]]
        while source.op in SAME_VALUES:
            source = nodes[source.input[0].split(":")[0]]
        if source.op != "Mean":
            return None
    return name if ":" in name else f"{name}:0"


def final_operation(content: bytes) -> str:
    """Return the operation that computes the scores, such as "Softmax", "Sigmoid" or "BiasAdd"."""
    from export.quiet_tensorflow import tf

    nodes = {node.name: node for node in tf.compat.v1.GraphDef.FromString(content).node}
    name = OUTPUT
    while nodes[name].op in SAME_VALUES:
        name = nodes[name].input[0].split(":")[0]
    return str(nodes[name].op)
