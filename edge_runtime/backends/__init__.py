"""Backends run an artifact: uint8 pixels in, float32 class probabilities out."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

from edge_runtime.errors import BackendUnavailable, InferenceError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from edge_runtime.preprocess import Pixels
    from edge_runtime.spec import ModelSpec

BackendName = Literal["litert", "tflite-runtime", "onnx"]
BACKEND_NAMES: tuple[BackendName, ...] = get_args(BackendName)

# In order of preference for each file format, with the module to look for and the extra that brings it.
BACKENDS_BY_FORMAT: dict[str, tuple[BackendName, ...]] = {"tflite": ("litert", "tflite-runtime"), "onnx": ("onnx",)}
MODULES: dict[BackendName, str] = {
    "litert": "ai_edge_litert",
    "tflite-runtime": "tflite_runtime",
    "onnx": "onnxruntime",
}
EXTRAS: dict[BackendName, str] = {"litert": "pi", "tflite-runtime": "tflite-runtime", "onnx": "onnx"}
# What can be asked of each backend beside its best kernels, which come first.
KERNELS: dict[BackendName, tuple[str, ...]] = {
    "litert": ("xnnpack", "plain", "reference"),
    "tflite-runtime": ("xnnpack",),
    "onnx": ("all", "extended", "basic", "disabled"),
}
MOST_THREADS = 4  # small networks gain nothing from more


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


def open_backend(
    path: Path,
    spec: ModelSpec,
    *,
    backend: BackendName | None = None,
    threads: int | None = None,
    kernels: str | None = None,
) -> Backend:
    """Open a model file with the wanted backend, or with the first of its format that is installed.

    Args:
        path: a .tflite or .onnx file.
        spec: the contract that the file must fit.
        backend: a name from BACKEND_NAMES; None takes LiteRT before tflite-runtime.
        threads: for the runtime's kernels; None takes one a core, four at most.
        kernels: a name from the backend's row in KERNELS, to compare what they compute; None takes the runtime's best.

    Raises:
        BackendUnavailable: no backend for this file is installed, or the wanted one reads another format.
        InferenceError: the runtime refuses the file, or its input or output does not fit the spec.

    """
    name = choose_backend(path.suffix.removeprefix("."), backend)
    count = threads or default_threads()
    if name == "onnx":
        from edge_runtime.backends.onnx import OnnxBackend

        return OnnxBackend(path, spec, threads=count, kernels=kernels)
    from edge_runtime.backends.tflite import TfliteBackend

    return TfliteBackend(path, spec, runtime=name, threads=count, kernels=kernels)


def installed(names: Sequence[BackendName] = BACKEND_NAMES) -> tuple[BackendName, ...]:
    """Name the backends whose module is installed, in the given order; nothing is imported."""
    return tuple(name for name in names if find_spec(MODULES[name]))


def choose_backend(file_format: str, wanted: BackendName | None = None) -> BackendName:
    """Choose the backend for a file format, "tflite" or "onnx". Raises BackendUnavailable."""
    able = BACKENDS_BY_FORMAT[file_format]
    if wanted is not None and wanted not in able:
        raise BackendUnavailable(f"backend {wanted} does not read .{file_format} files; {' or '.join(able)} does")
    candidates = (wanted,) if wanted else able
    present = installed(candidates)
    if not present:
        raise BackendUnavailable(missing(candidates[0]))
    return present[0]


def missing(name: BackendName) -> str:
    """Say how to install a backend."""
    return f"backend {name} is not installed; pip install 'edgewise[{EXTRAS[name]}]' brings it"


def default_threads() -> int:
    """Give one thread for each core that this process may use, four at most."""
    return min(len(os.sched_getaffinity(0)), MOST_THREADS)


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
