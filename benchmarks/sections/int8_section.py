"""The table of improvements of int8.tflite in parity.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .markdown import machine_line, table

if TYPE_CHECKING:
    from .markdown import Results

FORMS: dict[str, tuple[str, ...]] = {
    "converter alone": (),
    "corrected biases": ("corrected biases",),
    "narrow ranges": ("narrow ranges",),
    "narrow ranges, corrected biases": ("narrow ranges", "corrected biases"),
    "equalized": ("equalized",),
    "equalized, corrected biases": ("equalized", "corrected biases"),
    "int16x8": ("int16x8",),
}


def int8_table(results: Results) -> str:
    """Compare the forms of int8.tflite with the float32 file."""
    result = results.get("int8_improvements")
    if not result:
        return ""
    rows = [
        [row["network"], row["images"], *(_agreement(row["forms"], form) for form in FORMS.values())]
        for row in result["networks"]
    ]
    return f"{table(('network', 'images', *FORMS), rows)}\n\n{machine_line(result)}".rstrip()


def _agreement(forms: list[dict[str, Any]], wanted: tuple[str, ...]) -> str:
    found = next((form for form in forms if tuple(form["form"]) == wanted), {})
    return f"{found['agreement']:.1%}" if "agreement" in found else "-"
