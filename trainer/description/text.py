"""A description as lines of text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainer.description.summary import FLOAT32_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trainer.description.graph import Shape
    from trainer.description.summary import Description, Row

HEADER = ("layer", "kind", "(n-f+2p)/s+1", "formula", "Keras", "parameters", "multiply-adds", "held as float32")
LEFT = 5  # so many columns of words stand left, the numbers behind them right
NOTES = """\
(n-f+2p)/s+1, rounded down: n rows or columns in, window f, zeros before and behind 2p in all, stride s.
Multiply-adds of one image, in convolutions and dense layers; batch-norm is folded into them.
Held: the model's input, a layer's inputs and outputs, and what a later layer still reads; as int8 a quarter. What an
export folds into the layer before or behind takes no room: batch-norm, ReLU, zeros put around, a change of shape.
TensorFlow Lite's arena holds exactly this; weights, and what faster kernels take for themselves, come on top."""


def text_of(described: Description) -> str:
    """Give a table with a row a layer, the totals, and what they mean."""
    table = [HEADER, *(_cells(row) for row in described.rows)]
    widths = [max(len(line[at]) for line in table) for at in range(len(HEADER))]
    lines = ["  ".join(_aligned(line, widths)).rstrip() for line in table]
    return "\n".join([*lines, "", *_totals(described), "", NOTES])


def _cells(row: Row) -> tuple[str, ...]:
    down, across = row.windows or (None, None)
    formula = str(down) if down == across else f"{down} x {across}"
    return (
        row.name,
        row.kind,
        formula if row.windows else "",
        _shape(row.formula) if row.formula else "",
        _shape(row.output),
        f"{row.parameters:,}",
        "?" if row.multiply_adds is None else f"{row.multiply_adds:,}",
        _bytes(FLOAT32_BYTES * row.held),
    )


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> list[str]:
    places = enumerate(zip(cells, widths, strict=True))
    return [cell.ljust(width) if at < LEFT else cell.rjust(width) for at, (cell, width) in places]


def _totals(described: Description) -> list[str]:
    count, peak = described.parameters, described.peak
    trainable = sum(row.trainable for row in described.rows)
    least = f" at least; not known of {', '.join(described.uncounted)}" if described.uncounted else ""
    return [
        f"{count:,} parameters, {trainable:,} of them trainable: {_sizes(count)}",
        f"{described.multiply_adds:,} multiply-adds{least}",
        f"activations: at most {_sizes(peak.held)}, held at once while {peak.name} runs",
    ]


def _shape(shape: Shape) -> str:
    return "x".join(map(str, shape)) or "1"


def _sizes(count: int) -> str:
    return f"{_bytes(FLOAT32_BYTES * count)} as float32, {_bytes(count)} as int8"


def _bytes(count: int) -> str:
    return f"{count / 2**20:.2f} MiB" if count >= 2**20 else f"{count / 2**10:.1f} KiB"
