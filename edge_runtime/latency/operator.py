"""An operator of a TFLite file, described by what determines its time."""

from __future__ import annotations

import re
from typing import NamedTuple

Shape = tuple[int, int, int]  # height, width, channels

TEXT = re.compile(r"([A-Z0-9_]+) (\d+)x(\d+)x(\d+) (\d+)x(\d+)x(\d+) (\d+)x(\d+) (\d+) ([A-Z0-9]+)", re.ASCII)


class Operator(NamedTuple):
    """An operator.

    Attributes:
        name: its name in the TFLite schema, such as "CONV_2D".
        source: shape of its first input.
        result: shape of its output.
        kernel: height and width of its window; 1 and 1 if it has none.
        operand: number of elements of its second input, if it is not its weights; 0 if it has none.
        kind: type of its output, such as "INT8".

    """

    name: str
    source: Shape
    result: Shape
    kernel: tuple[int, int] = (1, 1)
    operand: int = 0
    kind: str = "INT8"

    def text(self) -> str:
        """Return the text that `operator_of` reads, such as "CONV_2D 8x8x16 4x4x32 3x3 0 INT8"."""
        sizes = ("x".join(map(str, shape)) for shape in (self.source, self.result, self.kernel))
        return " ".join([self.name, *sizes, str(self.operand), self.kind])


def operator_of(text: str) -> Operator:
    """Read an operator from its text. Raise ValueError if it is not the text of one."""
    found = TEXT.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not the text of an operator")
    name, *digits, kind = found.groups()
    a, b, c, d, e, f, height, width, operand = map(int, digits)
    if 0 in (a, b, c, d, e, f, height, width):
        raise ValueError(f"{text!r} has a size of 0")
    return Operator(name, (a, b, c), (d, e, f), (height, width), operand, kind)
