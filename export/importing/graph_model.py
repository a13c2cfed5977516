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
    function = graph_function(content)

    class ImportedGraph(keras.layers.Layer):  # type: ignore[misc] # Keras ships no types
        """Call the graph."""

        def call(self, images: Any) -> Any:  # noqa: ANN401 - the same
            """Return the scores of a batch of images."""
            return function(images)

    (placeholder,) = (node for node in graph.node if node.name == INPUT)
    sides = [size.size if size.size > 0 else None for size in placeholder.attr["shape"].shape.dim]
    image = keras.Input(tuple(sides[1:]))
    return keras.Model(image, ImportedGraph()(image))


def final_operation(content: bytes) -> str:
    """Return the operation that computes the scores, such as "Softmax", "Sigmoid" or "BiasAdd"."""
    from export.quiet_tensorflow import tf

    nodes = {node.name: node for node in tf.compat.v1.GraphDef.FromString(content).node}
    name = OUTPUT
    while nodes[name].op in SAME_VALUES:
        name = nodes[name].input[0].split(":")[0]
    return str(nodes[name].op)
