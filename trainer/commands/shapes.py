"""edge-train shapes: draw a small set of images to try training on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_runtime.command_line.numbers import non_negative_int, positive_int
from edge_runtime.command_line.runner import SUCCESS, set_action
from edge_runtime.command_line.steps import report_next


@dataclass(frozen=True)
class ShapesOptions:
    """The options of `edge-train shapes`, as its help describes them."""

    out: Path
    count: int
    size: int
    seed: int
    overwrite: bool


def add_parser(commands: Any) -> None:  # noqa: ANN401 - argparse keeps its subparsers' type private
    """Add the subcommand."""
    parser = commands.add_parser(
        "shapes",
        example="edge-train shapes photos",
        help="draw a small set of images to train on",
        description="Draw shapes of varied colour, size, angle and background, one folder per shape.",
    )
    parser.add_argument("out", type=Path, metavar="OUT", help="the folder to write")
    parser.add_argument("--count", type=positive_int, default=500, help="images of each shape, default: %(default)s")
    parser.add_argument(
        "--size", type=positive_int, default=64, help="width and height in pixels, default: %(default)s"
    )
    parser.add_argument("--seed", type=non_negative_int, default=0, help="default: %(default)s")
    parser.add_argument("--overwrite", action="store_true", help="replace an older set of shapes")
    set_action(parser, ShapesOptions, shapes)


def shapes(options: ShapesOptions) -> int:
    """Draw the images."""
    from trainer.data.shapes import OUTLINES, write_shapes

    write_shapes(options.out, count=options.count, size=options.size, seed=options.seed, overwrite=options.overwrite)
    print(f"{options.out}: {options.count} images each of {', '.join(OUTLINES)}")
    report_next("edge-train", "", ["edge-train", "train", options.out, "--model", "cnn", "--out", "run"])
    return SUCCESS
