"""Read the input and output of an exported file, and edit its graph so that it takes pixels."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from edge_runtime.backends.tflite import DARKEST_WHITE, RANGE_SLACK, takes_pixels
from export.sources.exported.ends import ModelEnds, StatedShape
from export.sources.exported.onnx_edit import pixel_onnx
from export.sources.exported.onnx_ends import read_onnx
from export.sources.exported.statements import Statements, read_onnx_statements
from export.sources.exported.tflite_edit import pixel_tflite
from export.sources.exported.tflite_ends import read_tflite
from export.sources.exported.tflite_metadata import read_tflite_metadata
from export.sources.reading import RANGES, Reading

if TYPE_CHECKING:
    from pathlib import Path

    from export.sources.keras_model import Head

__all__ = ["ModelEnds", "StatedShape", "level_reading", "read_ends", "read_statements", "with_pixel_input"]


def read_ends(path: Path, stated: StatedShape | None = None) -> ModelEnds:
    """Read a file's input and output.

    Args:
        path: a .tflite or .onnx file.
        stated: what the user states about the shape of its input.

    Raises:
        ExportError: the file is damaged, or not a classifier of RGB or grey images with one input and one output.

    """
    read = read_onnx if path.suffix == ".onnx" else read_tflite
    return read(path, stated or StatedShape())


def read_statements(path: Path) -> Statements:
    """Return what a .tflite or .onnx file states about itself."""
    return read_onnx_statements(path) if path.suffix == ".onnx" else read_tflite_metadata(path)


def with_pixel_input(path: Path, ends: ModelEnds, reading: Reading, head: Head = "softmax") -> bytes:
    """Return the content of a file that takes pixels and returns probabilities.

    Args:
        path: a .tflite or .onnx file.
        ends: its input and output.
        reading: how its input is computed from pixels; it becomes a part of the graph, unless the quantization of the
            input already states it.
        head: "logits" adds the missing softmax or sigmoid.

    Returns:
        The file's own bytes if nothing needs to be changed.

    Raises:
        ExportError: the graph cannot be edited.

    """
    if path.suffix == ".onnx":
        return pixel_onnx(path, ends, reading, head)
    as_it_is = _is_read_by_devices(ends, reading)
    return pixel_tflite(path, ends, level_reading(reading, ends), head, as_it_is=as_it_is)


def _is_read_by_devices(ends: ModelEnds, reading: Reading) -> bool:
    """Return whether a device computes a reading without an edit: pixels, or what a quantized input states."""
    if ends.represented is None or ends.represented[1] >= DARKEST_WHITE:
        return reading.is_pixels
    exact = all(
        abs(found - wanted) < RANGE_SLACK for found, wanted in zip(ends.represented, reading.limits, strict=True)
    )
    return exact and any(reading.same_values(RANGES[name]) for name in ("-1..1", "0..1"))


def level_reading(reading: Reading, ends: ModelEnds) -> Reading:
    """Return the reading whose values are the levels of an 8-bit input that takes the pixels themselves.

    Without it, values that lie between two levels would be rounded by the noise of their computation.

    Args:
        reading: how the input is computed from pixels.
        ends: the file's input.

    Returns:
        The same reading for every other input.

    """
    signed = RANGES["-1..1"]
    if ends.represented is None or ends.input_type not in {"uint8", "int8"}:
        return reading
    if not any(reading.same_values(item) for item in (signed, signed.reversed())):
        return reading
    low, high = ends.represented
    steps = 255 / (high - low)
    middle = round(-low * steps)
    return replace(reading, mean=(float(middle),), std=(steps,)) if takes_pixels(1 / steps, middle) else reading
