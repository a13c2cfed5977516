"""The choices of an export that shape its files."""

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
    """How the quantized files are made.

    Attributes:
        int8_input: type of int8.tflite's input; "uint8" takes pixels as they are.
        int8_output: type of int8.tflite's output.
        target: whose kernels int8.onnx is made for: "any" keeps all 8 bits on every processor; "arm" takes int8
            activations and "x86" uint8 ones, both with weights of 7 bits, for what is fastest there.
        calibration_method: how int8.onnx's ranges are taken from the calibration images' activations: all of them,
            without the rarest, or those that lose the least information. TFLite's converter has "minmax" alone.
        calibration_images: how many calibration images at most, balanced over the classes.

    """

    int8_input: IoType = "uint8"
    int8_output: IoType = "uint8"
    target: Target = "any"
    calibration_method: CalibrationMethod = "minmax"
    calibration_images: int = 200
