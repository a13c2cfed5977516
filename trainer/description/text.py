"""Format a description as lines of text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainer.description.summary import FLOAT32_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trainer.description.graph import Shape
    from trainer.description.summary import Description, Row

HEADER = ("layer", "kind", "(n-f+2p)/s+1", "formula", "Keras", "parameters", "multiply-adds", "memory as float32")
LEFT = 5  # the first 5 columns are left-aligned, the others, which are numbers, right-aligned
NOTES = """\
(n-f+2p)/s+1, rounded down: n input rows or columns, window f, 2p zeros of padding in total, stride s.
Multiply-adds of one image, in convolutions and dense layers; batch normalisation is merged into them.
Memory while a layer runs: the model's input, the layer's inputs and outputs, and all values that a later layer reads;
int8 needs a quarter. It is the size of TensorFlow Lite's arena. Operations that an export merges into another layer
need no memory: batch normalisation, ReLU, padding, a change of shape. Weights, and temporary memory of fast kernels,
are not included."""


def text_of(described: Description) -> str:
    """Return a table with one row per layer, the totals, and an explanation."""
    table = [HEADER, *(_cells(row) for row in described.rows)]
    widths = [max(len(line[at]) for line in table) for at in range(len(HEADER))]
    lines = ["  ".join(_aligned(line, widths)).rstrip() for line in table]
    return "\n".join([*lines, "", *_totals(described), "", NOTES])


def _cells(row: Row) -> tuple[str, ...]:
    vertical, horizontal = row.windows or (None, None)
    formula = str(vertical) if vertical == horizontal else f"{vertical} x {horizontal}"
    return (
        row.name,
        row.kind,
        formula if row.windows else "",
        _shape(row.formula) if row.formula else "",
        _shape(row.output),
        f"{row.parameters:,}",
        "?" if row.multiply_adds is None else f"{row.multiply_adds:,}",
        _bytes(FLOAT32_BYTES * row.memory),
    )


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> list[str]:
    columns = enumerate(zip(cells, widths, strict=True))
    return [cell.ljust(width) if at < LEFT else cell.rjust(width) for at, (cell, width) in columns]


def _totals(described: Description) -> list[str]:
    count, peak = described.parameters, described.peak
    trainable = sum(row.trainable for row in described.rows)
    at_least = f" at least; unknown for {', '.join(described.uncounted)}" if described.uncounted else ""
    return [
        f"{count:,} parameters, {trainable:,} of them trainable: {_sizes(count)}",
        f"{described.multiply_adds:,} multiply-adds{at_least}",
        f"activation memory: at most {_sizes(peak.memory)}, while {peak.name} runs",
    ]


def _shape(shape: Shape) -> str:
    return "x".join(map(str, shape)) or "1"


def _sizes(count: int) -> str:
    return f"{_bytes(FLOAT32_BYTES * count)} as float32, {_bytes(count)} as int8"


def _bytes(count: int) -> str:
    return f"{count / 2**20:.2f} MiB" if count >= 2**20 else f"{count / 2**10:.1f} KiB"
