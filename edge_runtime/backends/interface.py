"""The interface of a backend, and the checks that all backends share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from edge_runtime.errors import InferenceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from edge_runtime.backends.names import BackendName
    from edge_runtime.image.preprocess import Pixels
    from edge_runtime.model.spec import ModelSpec


class Backend(Protocol):
    """One opened artifact. Only one thread at a time may call `invoke`; the steps before and after it may overlap.

    Attributes:
        name: the runtime's name, as in BACKEND_NAMES.

    """

    name: BackendName

    def model_input(self, pixels: Pixels) -> NDArray[Any]:
        """Return the input tensor of the graph, in its own type, for uint8 pixels (N, height, width, channels)."""
        ...

    def invoke(self, tensor: NDArray[Any]) -> NDArray[Any]:
        """Run the graph on the result of `model_input`; return its output, in its own type. Raise InferenceError."""
        ...

    def probabilities(self, output: NDArray[Any]) -> NDArray[np.float32]:
        """Return the graph's output as probabilities, float32 of shape (N, classes)."""
        ...

    def run(self, pixels: Pixels) -> NDArray[np.float32]:
        """Classify preprocessed images: all three steps.

        Args:
            pixels: RGB or grey, as the spec says, uint8 of shape (N, height, width, channels), values 0..255.

        Returns:
            Probabilities, float32 of shape (N, classes), in the order of the spec's labels.

        Raises:
            InferenceError: the runtime failed.

        """
        ...


def class_probabilities(output: NDArray[np.float32], spec: ModelSpec) -> NDArray[np.float32]:
    """Return one probability for each class.

    Args:
        output: shape (N, classes) for a softmax, (N, 1) for a sigmoid, which is the probability of class 1.
        spec: says which of the two it is.

    Returns:
        float32 of shape (N, classes).

    """
    import numpy as np  # imported here, so that choosing a backend needs only the standard library

    if spec.output == "sigmoid":
        output = np.concatenate([1 - output, output], axis=1)
    return np.ascontiguousarray(output, np.float32)


def check_shapes(where: str, spec: ModelSpec, input_shape: Sequence[object], output_shape: Sequence[object]) -> None:
    """Raise InferenceError unless the shapes of a model's input and output, except for the batch, match the spec."""
    wanted_input = (spec.height, spec.width, spec.channels)
    wanted_output = (1 if spec.output == "sigmoid" else len(spec.labels),)
    if tuple(input_shape[1:]) != wanted_input:
        raise InferenceError(
            f"{where}: its input has shape {tuple(input_shape)}, but its spec says (N, {wanted_input})"
        )
    if tuple(output_shape[1:]) != wanted_output:
        raise InferenceError(
            f"{where}: its output has shape {tuple(output_shape)}, but its spec says (N, {wanted_output[0]})"
        )
