"""The settings of an export that affect its files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

IoType = Literal["uint8", "int8", "float32"]
Target = Literal["any", "arm", "x86"]
CalibrationMethod = Literal["minmax", "percentile", "entropy"]

IO_TYPES: tuple[IoType, ...] = get_args(IoType)
TARGETS: tuple[Target, ...] = get_args(Target)
CALIBRATION_METHODS: tuple[CalibrationMethod, ...] = get_args(CalibrationMethod)


@dataclass(frozen=True)
class Settings:
    """The settings of the quantized files.

    Attributes:
        int8_input: type of int8.tflite's input; "uint8" takes pixels unchanged.
        int8_output: type of int8.tflite's output.
        target: the processors for whose kernels int8.onnx is made: "any" keeps all 8 bits on every processor; "arm"
            uses int8 activations and "x86" uint8 ones, both with weights of 7 bits, which is fastest there.
        calibration_method: how int8.onnx's ranges are computed from the activations of the calibration images: from all
            values, without the rarest ones, or with the smallest loss of information. TFLite's converter has only
            "minmax".
        calibration_images: maximum number of calibration images, balanced over the classes.

    """

    int8_input: IoType = "uint8"
    int8_output: IoType = "uint8"
    target: Target = "any"
    calibration_method: CalibrationMethod = "minmax"
    calibration_images: int = 200
