"""TFLite files, run by LiteRT or by tflite-runtime: the same Interpreter class under two names."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_runtime.backends.interface import check_shapes, class_probabilities
from edge_runtime.backends.names import missing
from edge_runtime.backends.quiet import without_info_lines
from edge_runtime.errors import BackendUnavailable, InferenceError
from edge_runtime.image.quantize import dequantize, quantize, quantize_pixels

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from edge_runtime.backends.names import BackendName
    from edge_runtime.image.preprocess import Pixels
    from edge_runtime.model.spec import ModelSpec

DARKEST_WHITE = 128.0  # an input calibrated on dark images ends below 255; one scaled to 0..1 far below
# What else a quantized input may stand for, as files that others export do: pixels scaled to these ranges.
SCALED_RANGES = ((-1.0, 1.0), (0.0, 1.0))
RANGE_SLACK = 0.02


class TfliteBackend:
    """A TFLite artifact, its interpreter built once.

    Attributes:
        name: "litert" or "tflite-runtime".

    """

    def __init__(
        self, path: Path, spec: ModelSpec, *, runtime: BackendName, threads: int, kernels: str | None = None
    ) -> None:
        interpreter_class = _interpreter_class(runtime)
        resolver = {} if kernels in {None, "xnnpack"} else _resolver(str(kernels))
        self.name = runtime
        self._spec = spec
        try:
            with without_info_lines():
                self._interpreter = interpreter_class(model_path=str(path), num_threads=threads, **resolver)
                self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as problem:
            raise InferenceError(f"{path}: {runtime} does not load it: {_first_line(problem)}") from None
        self._input = _only(self._interpreter.get_input_details(), path, "input")
        self._output = _only(self._interpreter.get_output_details(), path, "output")
        check_shapes(path, spec, self._input["shape"].tolist(), self._output["shape"].tolist())
        self._input_levels = _input_levels(path, self._input)
        self._output_values = _output_values(self._output)
        self._input_memory = self._interpreter.tensor(self._input["index"])

    def run(self, pixels: Pixels) -> NDArray[np.float32]:
        """Classify uint8 pixels of shape (N, H, W, 3), one after the other; see `Backend.run`."""
        outputs = [self.invoke(self.model_input(image[np.newaxis])) for image in pixels]  # one's floats at a time
        return self.probabilities(_joined(outputs))

    def model_input(self, pixels: Pixels) -> NDArray[Any]:
        """Give the tensor that enters the graph; see `Backend.model_input`."""
        if self._input_levels is not None:
            return self._input_levels[pixels]
        return _to_input(pixels, self._input)

    def invoke(self, tensor: NDArray[Any]) -> NDArray[Any]:
        """Run the graph on each of N inputs; see `Backend.invoke`."""
        try:
            return _joined([self._invoke_one(one[np.newaxis]) for one in tensor])
        except (ValueError, RuntimeError) as problem:
            raise InferenceError(f"{self.name} failed: {_first_line(problem)}") from None

    def probabilities(self, output: NDArray[Any]) -> NDArray[np.float32]:
        """Give what leaves the graph as probabilities; see `Backend.probabilities`."""
        if self._output_values is not None:
            real = np.take(self._output_values, output.view(np.uint8))
        else:
            real = _from_output(output, self._output)
        return class_probabilities(real, self._spec)

    def _invoke_one(self, tensor: NDArray[Any]) -> NDArray[Any]:
        # As bytes: set_tensor would copy a read-only array, as Pillow gives, into fresh memory first, and numpy's
        # assignment would let go of the GIL, so that the model waited for whoever has it then.
        self._input_memory().data.cast("B")[:] = np.ascontiguousarray(tensor).data.cast("B")
        self._interpreter.invoke()
        output: NDArray[Any] = self._interpreter.get_tensor(self._output["index"])
        return output


def _joined(outputs: list[NDArray[Any]]) -> NDArray[Any]:
    return outputs[0] if len(outputs) == 1 else np.concatenate(outputs)


def _to_input(pixels: Pixels, detail: dict[str, Any]) -> NDArray[Any]:
    if np.dtype(detail["dtype"]).kind == "f":
        return pixels.astype(detail["dtype"])
    scale, zero_point = detail["quantization"]
    return quantize_pixels(pixels, scale, zero_point, detail["dtype"])


def _from_output(output: NDArray[Any], detail: dict[str, Any]) -> NDArray[np.float32]:
    if np.dtype(detail["dtype"]).kind == "f":
        return output.astype(np.float32, copy=False)
    scale, zero_point = detail["quantization"]
    return dequantize(output, scale, zero_point)


def _output_values(detail: dict[str, Any]) -> NDArray[np.float32] | None:
    """Give the real number that each of an 8-bit output's bytes stands for: one step a frame in place of four."""
    if np.dtype(detail["dtype"]).itemsize > 1:
        return None
    return dequantize(np.arange(256, dtype=np.uint8).view(detail["dtype"]), *detail["quantization"])


def _interpreter_class(runtime: BackendName) -> Any:  # noqa: ANN401 - neither library is typed
    try:
        if runtime == "litert":
            from ai_edge_litert.interpreter import Interpreter
        else:
            _refuse_numpy_2()
            _refuse_tensorflow()
            from tflite_runtime.interpreter import Interpreter
    except ModuleNotFoundError:
        raise BackendUnavailable(missing(runtime)) from None
    except ImportError as problem:
        raise BackendUnavailable(f"backend {runtime} is installed but does not import: {problem}") from None
    return Interpreter


def _resolver(kernels: str) -> dict[str, Any]:
    """Give LiteRT's argument for kernels other than its best: its own without XNNPACK, or the plain-loop reference."""
    from ai_edge_litert.interpreter import OpResolverType

    name = {"plain": "BUILTIN_WITHOUT_DEFAULT_DELEGATES", "reference": "BUILTIN_REF"}[kernels]
    return {"experimental_op_resolver_type": getattr(OpResolverType, name)}


def _refuse_numpy_2() -> None:
    # It would import, and fail only at the first interpreter, with a message about _ARRAY_API.
    if not np.__version__.startswith("1."):
        raise BackendUnavailable(f"tflite-runtime cannot use numpy {np.__version__}; pip install 'numpy<2'")


def _refuse_tensorflow() -> None:
    # Their C++ symbols clash: loaded second, tflite-runtime fails or crashes on models that are sound.
    if sys.modules.get("tensorflow") and "tflite_runtime" not in sys.modules:
        raise BackendUnavailable("tflite-runtime cannot join TensorFlow in one process; run it in a process of its own")


def _input_levels(path: Path, detail: dict[str, Any]) -> NDArray[Any] | None:
    """Give the quantized value of each pixel level 0..255, for an input that stands for scaled pixels; else None.

    Raises InferenceError where a quantized input stands for neither 0..255 nor a known scale of it.
    """
    if np.issubdtype(detail["dtype"], np.floating):
        return None
    limits = np.iinfo(detail["dtype"])
    low, high = dequantize(np.array([limits.min, limits.max]), *detail["quantization"]).tolist()
    if high >= DARKEST_WHITE:
        return None
    for darkest, brightest in SCALED_RANGES:
        if abs(low - darkest) < RANGE_SLACK and abs(high - brightest) < RANGE_SLACK:
            real = np.linspace(darkest, brightest, 256)
            scale, zero_point = detail["quantization"]
            return quantize(real, scale, zero_point, detail["dtype"])
    raise InferenceError(f"{path}: its input stands for {low:.4g}..{high:.4g}, not for pixels 0..255, 0..1 or -1..1")


def _only(details: list[dict[str, Any]], path: Path, kind: str) -> dict[str, Any]:
    if len(details) != 1:
        raise InferenceError(f"{path}: has {len(details)} {kind}s; a classifier has one")
    return details[0]


def _first_line(problem: Exception) -> str:
    return str(problem).strip().splitlines()[0] if str(problem).strip() else type(problem).__name__
