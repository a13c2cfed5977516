"""Open a model file with a backend."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_runtime.backends.names import choose_backend, default_threads

if TYPE_CHECKING:
    from edge_runtime.backends.interface import Backend
    from edge_runtime.backends.names import BackendName
    from edge_runtime.model.bundle import ModelFile
    from edge_runtime.model.spec import ModelSpec


def open_backend(
    model: ModelFile,
    spec: ModelSpec,
    *,
    backend: BackendName | None = None,
    threads: int | None = None,
    kernels: str | None = None,
) -> Backend:
    """Open a model file with the given backend, or with the first installed one that reads its format.

    Args:
        model: the content of a .tflite or .onnx file.
        spec: the spec that the file must match.
        backend: a name from BACKEND_NAMES; None takes LiteRT before tflite-runtime.
        threads: for the runtime's kernels; None takes one for each core, at most four.
        kernels: a name from the backend's row in KERNELS, to compare their results; None takes the runtime's best.

    Raises:
        BackendUnavailable: no backend for this file is installed, or the given one does not read its format.
        InferenceError: the runtime refuses the file, or its input or output does not match the spec.

    """
    name = choose_backend(model.format, backend)
    count = threads or default_threads()
    if name == "onnx":
        from edge_runtime.backends.onnx import OnnxBackend

        return OnnxBackend(model, spec, threads=count, kernels=kernels)
    from edge_runtime.backends.tflite import TfliteBackend

    return TfliteBackend(model, spec, runtime=name, threads=count, kernels=kernels)
