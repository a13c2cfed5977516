"""The interface of a backend, and the checks that all backends share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from edge_runtime.errors import InferenceError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from edge_runtime.backends.names import BackendName
    from edge_runtime.image.preprocess import Pixels
    from edge_runtime.model.spec import ModelSpec


class Backend(Protocol):
    """One opened artifact. Only one thread at a time may `invoke`; the steps before and after it are free to overlap.

    Attributes:
        name: the runtime's name, as in BACKEND_NAMES.

    """

    name: BackendName

    def model_input(self, pixels: Pixels) -> NDArray[Any]:
        """Give the tensor that enters the graph, of the graph's own type, for uint8 pixels (N, height, width, 3)."""
        ...

    def invoke(self, tensor: NDArray[Any]) -> NDArray[Any]:
        """Run the graph on what `model_input` gave; give what leaves it, of its own type. Raises InferenceError."""
        ...

    def probabilities(self, output: NDArray[Any]) -> NDArray[np.float32]:
        """Give what leaves the graph as probabilities, float32 of shape (N, classes)."""
        ...

    def run(self, pixels: Pixels) -> NDArray[np.float32]:
        """Classify preprocessed images: the three steps in one.

        Args:
            pixels: RGB, uint8 of shape (N, height, width, 3), values 0..255.

        Returns:
            Probabilities, float32 of shape (N, classes), in the order of the spec's labels.

        Raises:
            InferenceError: the runtime failed.

        """
        ...


def class_probabilities(output: NDArray[np.float32], spec: ModelSpec) -> NDArray[np.float32]:
    """Widen a model's output to one probability for each class.

    Args:
        output: shape (N, classes) for a softmax, (N, 1) for a sigmoid, which is the probability of class 1.
        spec: tells which.

    Returns:
        float32 of shape (N, classes).

    """
    import numpy as np  # here, so that naming and choosing backends needs nothing but the standard library

    if spec.output == "sigmoid":
        output = np.concatenate([1 - output, output], axis=1)
    return np.ascontiguousarray(output, np.float32)


def check_shapes(path: Path, spec: ModelSpec, input_shape: Sequence[object], output_shape: Sequence[object]) -> None:
    """Raise InferenceError unless a model's input and output shapes, the batch aside, are the spec's."""
    wanted_input = (spec.height, spec.width, 3)
    wanted_output = (1 if spec.output == "sigmoid" else len(spec.labels),)
    if tuple(input_shape[1:]) != wanted_input:
        raise InferenceError(f"{path}: takes input {tuple(input_shape)}, but its spec says (N, {wanted_input})")
    if tuple(output_shape[1:]) != wanted_output:
        raise InferenceError(f"{path}: gives output {tuple(output_shape)}, but its spec says (N, {wanted_output[0]})")
