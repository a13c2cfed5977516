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
    from numpy.typing import NDArray

    from edge_runtime.backends.names import BackendName
    from edge_runtime.image.preprocess import Pixels
    from edge_runtime.model.bundle import ModelFile
    from edge_runtime.model.spec import ModelSpec

DARKEST_WHITE = 128.0  # a range that was calibrated on dark images ends below 255; one of 0..1 ends far below
BRIGHTEST_BLACK = -16.0  # a range that begins far below 0 is one of pixels from which a mean is subtracted
# The other ranges that a quantized input may have in files of other exporters: pixels scaled to these ranges.
SCALED_RANGES = ((-1.0, 1.0), (0.0, 1.0))
RANGE_SLACK = 0.02
# The steps of 1.0 and the level of 0, counted from the lowest one, with which an 8-bit input of -1..1 takes the pixels
# themselves, as TensorFlow's and Coral's examples feed it:
# https://github.com/google-coral/pycoral/blob/master/examples/classify_image.py
# 128: quantization-aware training with mean 128 and deviation 128. 127.5: the converter's own choice for -1..1, with
# which each pixel lies exactly between two levels; to round them differently would join pixels, or darken some of them
# and brighten others.
PIXEL_LEVELS = ((128.0, (128,)), (127.5, (127, 128)))
LEVEL_SLACK, PIXEL_BITS = 1e-5, 8


class TfliteBackend:
    """A TFLite artifact with its interpreter.

    Attributes:
        name: "litert" or "tflite-runtime".

    """

    def __init__(
        self, model: ModelFile, spec: ModelSpec, *, runtime: BackendName, threads: int, kernels: str | None = None
    ) -> None:
        where = model.where
        resolver = {} if kernels in {None, "xnnpack"} else _resolver(str(kernels))
        self.name = runtime
        self._spec = spec
        self._interpreter = open_interpreter(model.content, runtime, threads, where, **resolver)
        self._input = _only(self._interpreter.get_input_details(), where, "input")
        self._output = _only(self._interpreter.get_output_details(), where, "output")
        for detail in (self._input, self._output):
            detail["quantization"] = _scale_and_zero_point(detail)
        check_shapes(where, spec, self._input["shape"].tolist(), self._output["shape"].tolist())
        self._input_levels = _input_levels(where, self._input)
        self._output_values = _output_values(self._output)
        self._input_memory = self._interpreter.tensor(self._input["index"])

    def run(self, pixels: Pixels) -> NDArray[np.float32]:
        """Classify uint8 pixels of shape (N, H, W, 3), one after the other; see `Backend.run`."""
        outputs = [
            self.invoke(self.model_input(image[np.newaxis])) for image in pixels
        ]  # so that the floats of only one image exist at a time
        return self.probabilities(_joined(outputs))

    def model_input(self, pixels: Pixels) -> NDArray[Any]:
        """Return the input tensor of the graph; see `Backend.model_input`."""
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
        """Return the graph's output as probabilities; see `Backend.probabilities`."""
        if self._output_values is not None:
            real = np.take(self._output_values, output.view(np.uint8))
        else:
            real = _from_output(output, self._output)
        return class_probabilities(real, self._spec)

    def _invoke_one(self, tensor: NDArray[Any]) -> NDArray[Any]:
        # As bytes: set_tensor would first copy a read-only array, such as Pillow's, into new memory, and numpy's
        # assignment would release the GIL, so that the model would wait for the thread that takes it.
        self._input_memory().data.cast("B")[:] = np.ascontiguousarray(tensor).data.cast("B")
        self._interpreter.invoke()
        output: NDArray[Any] = self._interpreter.get_tensor(self._output["index"])
        return output


def open_interpreter(content: bytes, runtime: BackendName, threads: int, where: str = "model", **options: Any) -> Any:  # noqa: ANN401 - neither library is typed
    """Return an interpreter of a TFLite file with allocated tensors.

    Args:
        content: the file.
        runtime: "litert" or "tflite-runtime".
        threads: number of threads.
        where: names the file in errors.
        options: other arguments of the runtime's class.

    Raises:
        BackendUnavailable: the runtime is not installed or cannot be imported.
        InferenceError: it refuses the file.

    """
    interpreter_class = _interpreter_class(runtime)
    try:
        with without_info_lines():
            interpreter = interpreter_class(model_content=content, num_threads=threads, **options)
            interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as problem:
        raise InferenceError(f"{where}: {runtime} cannot load it: {_first_line(problem)}") from None
    return interpreter


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
    """Return the real value of each of an 8-bit output's 256 levels.

    One table look-up per frame instead of four operations.
    """
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
        raise BackendUnavailable(f"backend {runtime} is installed but cannot be imported: {problem}") from None
    return Interpreter


def _resolver(kernels: str) -> dict[str, Any]:
    """Return LiteRT's argument for other kernels than its best: its own without XNNPACK, or the reference kernels."""
    from ai_edge_litert.interpreter import OpResolverType

    name = {"plain": "BUILTIN_WITHOUT_DEFAULT_DELEGATES", "reference": "BUILTIN_REF"}[kernels]
    return {"experimental_op_resolver_type": getattr(OpResolverType, name)}


def _refuse_numpy_2() -> None:
    # It could be imported, and would fail at the first interpreter, with a message about _ARRAY_API.
    if not np.__version__.startswith("1."):
        raise BackendUnavailable(f"tflite-runtime cannot use numpy {np.__version__}; pip install 'numpy<2'")


def _refuse_tensorflow() -> None:
    # Their C++ symbols clash: loaded second, tflite-runtime fails or crashes on valid models.
    if sys.modules.get("tensorflow") and "tflite_runtime" not in sys.modules:
        raise BackendUnavailable(
            "tflite-runtime cannot be used in one process with TensorFlow; run it in a process of its own"
        )


def _input_levels(where: str, detail: dict[str, Any]) -> NDArray[Any] | None:
    """Return the quantized value of each pixel level 0..255 for an input that takes scaled pixels; else None.

    Raise InferenceError if a quantized input represents neither 0..255 nor a known scale of it.
    """
    if np.issubdtype(detail["dtype"], np.floating):
        return None
    limits = np.iinfo(detail["dtype"])
    low, high = dequantize(np.array([limits.min, limits.max]), *detail["quantization"]).tolist()
    if high >= DARKEST_WHITE and low >= BRIGHTEST_BLACK:
        return None
    scale, zero_point = detail["quantization"]
    if limits.bits == PIXEL_BITS and takes_pixels(scale, zero_point - limits.min):
        return np.arange(limits.min, limits.max + 1).astype(detail["dtype"])
    for darkest, brightest in SCALED_RANGES:
        if abs(low - darkest) < RANGE_SLACK and abs(high - brightest) < RANGE_SLACK:
            real = np.linspace(darkest, brightest, 256)
            return quantize(real, scale, zero_point, detail["dtype"])
    raise InferenceError(f"{where}: its input represents {low:.4g}..{high:.4g}, not pixels in 0..255, 0..1 or -1..1")


def takes_pixels(scale: float, middle: int) -> bool:
    """Return whether an 8-bit input of -1..1 has a level for each pixel; 0 is `middle` levels above its lowest."""
    return any(abs(scale * steps - 1) < LEVEL_SLACK and middle in middles for steps, middles in PIXEL_LEVELS)


def _only(details: list[dict[str, Any]], where: str, kind: str) -> dict[str, Any]:
    if len(details) != 1:
        raise InferenceError(f"{where}: has {len(details)} {kind}s; a classifier has one")
    return details[0]


def _scale_and_zero_point(detail: dict[str, Any]) -> tuple[float, int]:
    """Return a tensor's scale and zero point; integers without quantization, whose scale is 0, stand for themselves."""
    scale, zero_point = detail["quantization"]
    return (scale, zero_point) if scale else (1.0, 0)


def _first_line(problem: Exception) -> str:
    return str(problem).strip().splitlines()[0] if str(problem).strip() else type(problem).__name__
