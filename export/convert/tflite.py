"""Convert a Keras classifier to TFLite files that the light runtimes load."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from export.convert.bias_correction import bias_corrected
from export.convert.equalization import equalized
from export.convert.familiarity_limit import with_own_limit
from export.convert.flatbuffer import finish
from export.convert.metadata import INPUT_NAME
from export.convert.ranges import with_narrow_ranges
from export.errors import ExportError
from export.settings import Settings
from export.sources.familiarity import LAYER

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from edge_runtime.image.preprocess import Pixels
    from edge_runtime.model.spec import ModelSpec

TflitePrecision = Literal["float32", "float16", "dynamic", "int8", "int16x8"]
Improvement = Literal["equalized", "narrow ranges", "corrected biases"]
INTEGER_OPERATIONS = {
    "int8": "TFLITE_BUILTINS_INT8",
    "int16x8": "EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8",
}


def freeze(model: Any, spec: ModelSpec) -> Any:  # noqa: ANN401 - TensorFlow is not typed
    """Return the model as a TensorFlow function of one image with its weights as constants.

    Converting Keras 3 variables through `from_concrete_functions` writes files without their weights, and a SavedModel
    takes three times as long.

    Returns:
        A ConcreteFunction from float32 pixels (1, height, width, 3) to probabilities.

    """
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    from export.quiet_tensorflow import tf

    signature = tf.TensorSpec((1, spec.height, spec.width, spec.channels), tf.float32, name=INPUT_NAME)
    serve = tf.function(lambda image: model(image, training=False), input_signature=[signature])
    return convert_variables_to_constants_v2(serve.get_concrete_function())


def to_tflite(
    frozen: Any,  # noqa: ANN401 - the same
    precision: TflitePrecision,
    calibration: Pixels,
    *,
    spec: ModelSpec,
    settings: Settings | None = None,
    keep_float: Sequence[str] = (),
    improvements: Collection[Improvement] = (),
    unseen: Pixels | None = None,
) -> bytes:
    """Convert a frozen function to a TFLite file with only builtin operators.

    Args:
        frozen: from `freeze`.
        precision: "float32"; "float16" (weights); "dynamic" (int8 weights, float activations); "int8" (weights and
            activations); or "int16x8" (int8 weights, int16 activations, float input and output).
        calibration: preprocessed training images, uint8 (N, height, width, 3), which decide the ranges of int8.
        spec: the model's spec, for the file's metadata.
        settings: int8's input and output types.
        keep_float: for int8, the output tensors of the layers that stay in float.
        improvements: for int8, what to do in addition to the converter's own quantization.
        unseen: photographs in the form of `calibration` that the familiarity was not fitted to, which place its limit
            in int8; None uses the calibration images.

    Returns:
        The file's bytes.

    Raises:
        ExportError: the converter refuses an operation.

    """
    from export.quiet_tensorflow import quiet_stderr

    familiar = None
    if spec.min_familiarity is not None:
        familiar = calibration if unseen is None else unseen
    try:
        with quiet_stderr():
            if improvements:
                converted = improved(
                    frozen, calibration, settings or Settings(), keep_float, improvements, familiar=familiar
                )
            else:
                converter = _converter(frozen, precision, calibration, settings or Settings())
                converted = _convert(converter, precision, keep_float, familiar)
    except ExportError as problem:
        raise ExportError(f"TFLite {precision}: {problem}") from None
    except Exception as problem:  # its converter also raises bare Exception
        raise ExportError(f"TFLite {precision}: the converter failed: {_cause(problem)}") from problem
    return finish(converted, spec)


def _convert(
    converter: Any,  # noqa: ANN401 - the same
    precision: TflitePrecision,
    keep_float: Sequence[str],
    familiar: Pixels | None,
) -> bytes:
    """Convert; `familiar` are the photographs that place the limit of the familiarity, None if there is none."""
    from export.quiet_tensorflow import tf

    if precision == "int16x8" and familiar is not None:
        # Its division has no 16-bit kernel; 16 bits are enough for the rest of it.
        converter.target_spec.supported_ops.append(tf.lite.OpsSet.TFLITE_BUILTINS)
    if keep_float or (precision == "int8" and familiar is not None):
        return keeping_float(converter, keep_float, familiar)
    converted: bytes = converter.convert()
    return converted


def _converter(frozen: Any, precision: TflitePrecision, calibration: Pixels, settings: Settings) -> Any:  # noqa: ANN401 - the same
    from export.quiet_tensorflow import tf

    # The second argument would keep variables alive; a frozen function has none.
    converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen], tf.Module())
    # No SELECT_TF_OPS: the light runtimes do not have them, so an unsupported operation must fail here.
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if precision != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if precision == "dynamic":
        # Per-channel dense layers are FULLY_CONNECTED version 12, which tflite-runtime 2.14 does not support; see also
        # `finish`.
        converter._experimental_disable_per_channel_quantization_for_dense_layers = True  # noqa: SLF001 - no public name
    if precision in INTEGER_OPERATIONS:
        converter.target_spec.supported_ops = [getattr(tf.lite.OpsSet, INTEGER_OPERATIONS[precision])]
        converter.representative_dataset = _representative(calibration)
    if precision == "int8":
        converter.inference_input_type = tf.dtypes.as_dtype(settings.int8_input)
        converter.inference_output_type = tf.dtypes.as_dtype(settings.int8_output)
    return converter


def keeping_float(converter: Any, tensors: Sequence[str], familiar: Pixels | None) -> bytes:  # noqa: ANN401 - the same
    """Quantize everything except the layers that write the named tensors, and the familiarity.

    With photographs in `familiar`, the limit of the familiarity becomes the file's own.

    The converter has no option for this, so its two steps are called one after the other, as its quantization debugger
    does, which for its part cannot set the types of the input and the output.
    """
    from tensorflow.lite.python.convert import mlir_quantize

    converter._experimental_calibrate_only = True  # noqa: SLF001 - no public name
    calibrated = converter.convert()
    quantized: bytes = mlir_quantize(
        calibrated,
        input_data_type=converter.inference_input_type,
        output_data_type=converter.inference_output_type,
        denylisted_nodes=[*tensors, *_familiarity_tensors(calibrated)],
    )
    return quantized if familiar is None else with_own_limit(quantized, calibrated, familiar)


def improved(
    frozen: Any,  # noqa: ANN401 - the same
    calibration: Pixels,
    settings: Settings,
    keep_float: Sequence[str],
    improvements: Collection[Improvement],
    *,
    familiar: Pixels | None = None,
) -> bytes:
    """Quantize to int8 in separate steps, between which channels, ranges and biases are changed.

    With photographs in `familiar`, the limit of the familiarity becomes the file's own.

    Raises:
        ExportError: the network has no channels to equalize.

    """
    from tensorflow.lite.python.convert import mlir_quantize
    from tensorflow.lite.python.optimize.calibrator import Calibrator

    from export.quiet_tensorflow import tf

    content = _converter(frozen, "float32", calibration, settings).convert()
    if "equalized" in improvements:
        content = equalized(content, calibration)
    calibrated = Calibrator(content).calibrate(_representative(calibration))
    if "narrow ranges" in improvements:
        calibrated = with_narrow_ranges(calibrated, content, calibration)
    quantized: bytes = mlir_quantize(
        calibrated,
        input_data_type=tf.dtypes.as_dtype(settings.int8_input),
        output_data_type=tf.dtypes.as_dtype(settings.int8_output),
        denylisted_nodes=[*keep_float, *_familiarity_tensors(content)],
    )
    if "corrected biases" in improvements:
        quantized = bias_corrected(quantized, content, calibration)
    return quantized if familiar is None else with_own_limit(quantized, content, familiar)


def _familiarity_tensors(content: bytes) -> list[str]:
    """Return the names of the tensors that compute the familiarity; their values are ratios, which 8 bits spoil."""
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(content))
    names = [tensor.name.decode() for tensor in model.subgraphs[0].tensors]
    return [name for name in names if LAYER in name]


def _representative(calibration: Pixels) -> Callable[[], Iterator[list[np.ndarray[Any, Any]]]]:
    def images() -> Iterator[list[np.ndarray[Any, Any]]]:
        for image in calibration:
            yield [image[np.newaxis].astype(np.float32)]

    return images


def _cause(problem: Exception) -> str:
    """Return the converter's line that names the operation, or else its first line."""
    lines = [line.strip() for line in str(problem).splitlines() if line.strip()]
    return next((line for line in lines if "error:" in line), lines[0] if lines else type(problem).__name__)
