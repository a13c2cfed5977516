"""The options that describe a model that `edge-train` did not write; `export` and `wrap` share them."""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass
from typing import Any, get_args

from edge_runtime.model.spec import MAX_SIDE, ResizeMode
from export.sources.reading import INPUT_RANGES, NORMALIZATIONS, InputRange, Normalization, StatedInput

SIZE = re.compile(r"(\d{1,5})(?:[x,](\d{1,5}))?")


@dataclass(frozen=True)
class InputOptions:
    """The options about the pixels, as the help describes them."""

    input_range: InputRange | None
    mean: list[tuple[float, ...]] | None
    std: list[tuple[float, ...]] | None
    bgr: bool
    normalization: Normalization | None
    resize: ResizeMode | None
    accept_chance: bool

    def stated(self) -> StatedInput:
        """Return what they state about the input."""
        mean, std = (None if values is None else sum(values, ()) for values in (self.mean, self.std))
        return StatedInput(self.input_range, mean, std, self.bgr, self.normalization)


def add_input_options(group: Any) -> None:  # noqa: ANN401 - a parser or a group, whose type argparse keeps private
    """Add the options of `InputOptions`."""
    group.add_argument("--input-range", choices=INPUT_RANGES, help="the range to which the model's input is scaled")
    group.add_argument(
        "--normalization",
        "--normalisation",
        choices=NORMALIZATIONS,
        help="a common range, mean and std by its name: imagenet (torchvision, timm), caffe (BGR), inception, clip; "
        "torch and tf are Keras's names of imagenet and inception",
    )
    group.add_argument(
        "--mean",
        nargs="+",
        type=_numbers,
        metavar="X",
        help="what is subtracted from pixels in --input-range, 0..1 or 0..255: one number, or one for each channel in "
        "the model's order",
    )
    group.add_argument("--std", nargs="+", type=_numbers, metavar="X", help="what they are divided by afterwards")
    group.add_argument("--bgr", action="store_true", help="the model takes blue first (OpenCV, Caffe)")
    group.add_argument("--resize", choices=get_args(ResizeMode), help="default: what --data shows, else stretch")
    group.add_argument(
        "--accept-chance", action="store_true", help="publish although the accuracy on --data is near chance"
    )


def image_size(text: str) -> tuple[int, int]:
    """Parse `224` or `240x320`, height before width."""
    match = SIZE.fullmatch(text)
    sides = tuple(int(side) for side in match.groups(default=match[1])) if match else ()
    if len(sides) != len(("height", "width")) or not all(1 <= side <= MAX_SIDE for side in sides):
        raise argparse.ArgumentTypeError(f"must be like 224 or 240x320 (height x width), not {text!r}")
    return sides[0], sides[1]


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(",") if part)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be numbers, such as 0.485,0.456,0.406, not {text!r}") from None
