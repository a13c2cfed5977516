"""What an exported file states about itself: labels, the reading of its input, the fit of its images."""

from __future__ import annotations

import ast
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from export.sources.reading import RANGES, Reading

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

# https://github.com/onnx/onnx/blob/main/docs/MetadataProps.md
PIXEL_RANGES = {"NominalRange_0_255": "0..255", "Normalized_0_1": "0..1", "Normalized_1_1": "-1..1"}
# Under these names other tools write a list or an object of labels; Ultralytics writes a Python dict as "names".
LABEL_PROPERTIES = ("labels", "names", "classes", "class_names", "categories")


@dataclass(frozen=True)
class Statements:
    """What a file states; None where it states nothing.

    Attributes:
        source: where it is stated, such as "metadata".
        labels: in the order of the outputs.
        reading: how the input is computed from pixels.
        resize: "stretch", "crop" or "pad"; only Edgewise's own files state it.
        states_order: whether the reading's order of channels is stated, and not only its numbers.

    """

    source: str = "metadata"
    labels: tuple[str, ...] | None = None
    reading: Reading | None = None
    resize: Any = None
    states_order: bool = False


def reading_of(mean: Sequence[float], std: Sequence[float], source: str) -> Reading | None:
    """Return the reading value = (pixel - mean) / std, by its common name if it has one; None without numbers."""
    if not mean or not std or min(std) <= 0 or {len(mean), len(std)} - {1, 3}:
        return None
    reading = Reading(f"(pixel - {_numbers(mean)}) / {_numbers(std)} of its {source}", tuple(mean), tuple(std))
    return next((known for known in RANGES.values() if known.same_values(reading)), reading)


def read_onnx_statements(path: Path) -> Statements:
    """Return what the metadata_props of an ONNX file state."""
    import onnx

    properties = {item.key: item.value for item in onnx.load(path, load_external_data=False).metadata_props}
    found = (_label_list(properties[name]) for name in LABEL_PROPERTIES if name in properties)
    labels = next((names for names in found if names), None)
    resize = _parsed(properties.get("resize", ""))
    mode = resize.get("mode") if isinstance(resize, dict) else None
    return Statements(
        "metadata_props",
        labels,
        _reading_of_properties(properties),
        mode if mode in {"stretch", "crop", "pad"} else None,
        "input" in properties or "Image.BitmapPixelFormat" in properties,
    )


def _reading_of_properties(properties: Mapping[str, str]) -> Reading | None:
    own = _parsed(properties.get("input", ""))
    if isinstance(own, dict) and own.get("range") == [0, 255]:
        return RANGES["0..255"]
    name = PIXEL_RANGES.get(properties.get("Image.NominalPixelRange", ""))
    reading = next((known for known in RANGES.values() if known.name == name), None)
    is_bgr = properties.get("Image.BitmapPixelFormat", "").lower().startswith("bgr")
    return reading.reversed() if reading and is_bgr else reading


def _label_list(text: str) -> tuple[str, ...] | None:
    """Parse a JSON or Python list of texts, or an object with the numbers of the outputs as keys."""
    values = _parsed(text)
    if isinstance(values, dict):
        by_number = {str(key): value for key, value in values.items()}
        if sorted(by_number) != sorted(map(str, range(len(by_number)))):
            return None
        values = [by_number[str(index)] for index in range(len(by_number))]
    if not isinstance(values, list) or not all(isinstance(item, str) and item.strip() for item in values):
        return None
    return tuple(item.strip() for item in values) or None


def _parsed(text: str) -> Any:  # noqa: ANN401 - whatever the text contains
    """Return the value of a JSON text or a Python literal, or None."""
    for parse in (json.loads, ast.literal_eval):
        try:
            return parse(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
            continue
    return None


def _numbers(values: Sequence[float]) -> str:
    return ",".join(f"{value:g}" for value in dict.fromkeys(values))
