"""ONNX files, run by ONNX Runtime on the CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edge_runtime.backends.interface import check_shapes, class_probabilities
from edge_runtime.backends.names import BackendName, missing
from edge_runtime.backends.onnx_external_data import refuse_external_data
from edge_runtime.errors import BackendUnavailable, InferenceError

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    from edge_runtime.image.preprocess import Pixels
    from edge_runtime.model.bundle import ModelFile
    from edge_runtime.model.spec import ModelSpec

INPUT_TYPES: dict[str, DTypeLike] = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8}
OPTIMIZATION_LEVELS = {
    "all": "ORT_ENABLE_ALL",
    "extended": "ORT_ENABLE_EXTENDED",
    "basic": "ORT_ENABLE_BASIC",
    "disabled": "ORT_DISABLE_ALL",
}
ERRORS_ONLY = 3  # ONNX Runtime's log severity; problems that matter are raised as errors


class OnnxBackend:
    """An ONNX artifact with its session; a batch runs as one.

    Attributes:
        name: "onnx".

    """

    name: BackendName = "onnx"

    def __init__(self, model: ModelFile, spec: ModelSpec, *, threads: int, kernels: str | None = None) -> None:
        try:
            import onnxruntime
        except ModuleNotFoundError:
            raise BackendUnavailable(missing("onnx")) from None
        where = model.where
        refuse_external_data(model)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = ERRORS_ONLY
        level = OPTIMIZATION_LEVELS[kernels or "all"]
        options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
        try:
            self._session = onnxruntime.InferenceSession(model.content, options, providers=["CPUExecutionProvider"])
        except Exception as problem:  # noqa: BLE001 - its exceptions share no public base class
            raise InferenceError(f"{where}: onnxruntime cannot load it: {problem}") from None
        self._session._model_bytes = None  # noqa: SLF001 - kept for a change of provider, which never happens here
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if len(inputs) != 1 or len(outputs) != 1:
            raise InferenceError(
                f"{where}: has {len(inputs)} inputs and {len(outputs)} outputs; a classifier has one each"
            )
        if inputs[0].type not in INPUT_TYPES:
            raise InferenceError(f"{where}: its input has the type {inputs[0].type}; it must be float or uint8")
        check_shapes(where, spec, inputs[0].shape, outputs[0].shape)
        self._spec = spec
        self._input_name = inputs[0].name
        self._input_type = INPUT_TYPES[inputs[0].type]
        self._takes_one = inputs[0].shape[0] == 1

    def model_input(self, pixels: Pixels) -> NDArray[Any]:
        """Return the input tensor of the graph; see `Backend.model_input`."""
        return pixels.astype(self._input_type, copy=False)

    def run(self, pixels: Pixels) -> NDArray[np.float32]:
        """Classify uint8 pixels of shape (N, H, W, channels) as one batch; see `Backend.run`."""
        return self.probabilities(self.invoke(self.model_input(pixels)))

    def invoke(self, tensor: NDArray[Any]) -> NDArray[Any]:
        """Run the graph on a batch, or on each image if the file takes only one; see `Backend.invoke`."""
        parts = [tensor[at : at + 1] for at in range(len(tensor))] if self._takes_one else [tensor]
        try:
            outputs: list[NDArray[Any]] = [self._session.run(None, {self._input_name: part})[0] for part in parts]
        except Exception as problem:  # noqa: BLE001 - its exceptions share no public base class
            raise InferenceError(f"onnxruntime failed: {problem}") from None
        return outputs[0] if len(outputs) == 1 else np.concatenate(outputs)

    def probabilities(self, output: NDArray[Any]) -> NDArray[np.float32]:
        """Return the graph's output as probabilities; see `Backend.probabilities`."""
        return class_probabilities(output, self._spec)
