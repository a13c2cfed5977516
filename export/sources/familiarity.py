"""Add the familiarity that `edge-train` fitted to a classifier's graph.

familiarity = sigmoid(slope * (|x @ basis|^2 / |x|^2 - offset)), where x are the inputs of the classifier's last dense
layer. The probabilities are multiplied by it, so that their sum is the familiarity.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from export.errors import ExportError
from export.importing.graph_model import graph_with_features

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

# The layer's name, which converters use for the names of its operations; those stay in float in quantized files.
LAYER = "familiarity"
# In exported files, names of our own: the standard metadata has no field for the least familiarity.
FAMILIARITY_BUFFER, FAMILIARITY_PROPERTY = b"EDGEWISE_MIN_FAMILIARITY", "min_familiarity"
MIN_FAMILIARITY = 0.5  # the offset is chosen for this limit
TINY = 1e-12


@dataclass(frozen=True)
class Familiarity:
    """The parameters.

    Attributes:
        basis: orthonormal columns, float32 of shape (D, k).
        slope: above 0.
        offset: the share of the squared length at which the familiarity is MIN_FAMILIARITY.

    """

    basis: NDArray[np.float32]
    slope: float
    offset: float


def read_familiarity(path: Path) -> Familiarity:
    """Read familiarity.npz of a RUN. Raise ExportError if it is missing or damaged."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            found = Familiarity(arrays["basis"], float(arrays["slope"]), float(arrays["offset"]))
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as problem:
        raise ExportError(f"{path}: damaged ({problem}); train again") from None
    numbers = (found.basis, np.array([found.slope, found.offset]))
    if found.basis.ndim != len(("D", "k")) or not all(np.isfinite(values).all() for values in numbers):
        raise ExportError(f"{path}: contains {found.basis.shape} and numbers that are not finite; train again")
    return found


def with_features(model: Any, path: Path, familiarity: Familiarity) -> Any:  # noqa: ANN401 - Keras is not typed
    """Return the model with two outputs: the inputs of its last layer, (N, D), and its own output.

    Raise ExportError if the features do not match the basis.
    """
    both = features_model(model)
    if both is None or both.outputs[0].shape[-1] != len(familiarity.basis):
        found = None if both is None else tuple(both.outputs[0].shape)
        raise ExportError(
            f"{path}: its features are {found}, but its familiarity has {len(familiarity.basis)} features; train again"
        )
    return both


def features_model(model: Any) -> Any | None:  # noqa: ANN401 - Keras is not typed
    """Return a classifier with two outputs: its pooled features, (N, D), and its own; None if they are not found."""
    from export.quiet_tensorflow import keras

    if hasattr(model, "imported_graph"):
        return graph_with_features(model)
    features = pooled_features(model)
    return None if features is None else keras.Model(model.inputs, [features, model.outputs[0]])


def pooled_features(model: Any) -> Any | None:  # noqa: ANN401 - Keras is not typed
    """Return the features of a classifier, a tensor of shape (N, D), D known; None if they are not found.

    These are the inputs of its last dense layer, or, if its classes come from a convolution (as in MobileNetV1 and V3),
    what its last global average pooling returns.
    """
    from export.quiet_tensorflow import keras

    layers = keras.layers
    passive = (layers.Activation, layers.Softmax, layers.Dropout, layers.Identity)
    try:
        operation = model.outputs[0]._keras_history.operation  # noqa: SLF001 - Keras has no public name for the origin
        while isinstance(operation, passive):
            operation = operation.input._keras_history.operation  # noqa: SLF001 - the same
        pools = [layer for layer in model.layers if isinstance(layer, layers.GlobalAveragePooling2D)]
        features = operation.input if isinstance(operation, layers.Dense) else pools[-1].output
    except (AttributeError, IndexError, ValueError):  # a model without layers, without pooling, or a shared layer
        return None
    if len(features.shape) == len(("N", 1, 1, "D")):
        features = layers.Flatten()(features)
    return features if len(features.shape) == len(("N", "D")) and features.shape[-1] else None


def times_familiarity(features: Any, probabilities: Any, familiarity: Familiarity) -> Any:  # noqa: ANN401 - Keras is not typed
    """Return the probabilities, (N, classes), multiplied by the familiarity of the features, (N, D)."""
    from export.quiet_tensorflow import keras

    ops = keras.ops

    class TimesFamiliarity(keras.layers.Layer):  # type: ignore[misc] # Keras ships no types
        """Multiply probabilities by the familiarity; a layer, so that its operations have its name."""

        def call(self, inputs: Any) -> Any:  # noqa: ANN401 - the same
            """Return the product, (N, classes), of features and probabilities."""
            x, scores = inputs
            within = ops.matmul(x, ops.convert_to_tensor(familiarity.basis))
            lengths = [ops.sum(ops.square(values), axis=-1, keepdims=True) for values in (within, x)]
            share = lengths[0] / (lengths[1] + TINY)
            return scores * ops.sigmoid(familiarity.slope * (share - familiarity.offset))

    return TimesFamiliarity(name=LAYER)([features, probabilities])
