"""edge-export wrap: make a bundle from a .tflite or .onnx file that is already exported."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_runtime.command_line.runner import SUCCESS, set_action
from edge_runtime.command_line.steps import report_next, reported_steps
from export.commands.options import InputOptions, add_input_options, image_size
from export.sources.exported.ends import LAYOUTS, Layout, StatedShape


@dataclass(frozen=True)
class WrapOptions:
    """The options of `edge-export wrap`, as its help describes them."""

    model: Path
    labels: Path | None
    out: Path
    input: InputOptions
    layout: Layout | None
    image_size: tuple[int, int] | None
    data: Path | None
    overwrite: bool


def add_parser(commands: Any) -> None:  # noqa: ANN401 - argparse keeps its subparsers' type private
    """Add the subcommand."""
    parser = commands.add_parser(
        "wrap",
        help="make a bundle from a .tflite or .onnx file that is already exported",
        example="edge-export wrap model.tflite --labels labels.txt --out bundle",
    )
    parser.add_argument("model", metavar="MODEL", type=Path, help="a .tflite or .onnx classifier")
    parser.add_argument(
        "--labels", type=Path, metavar="FILE", help="one label a line; default: the labels that the file contains"
    )
    parser.add_argument("--out", metavar="BUNDLE", type=Path, required=True, help="the bundle to publish")
    add_input_options(parser.add_argument_group("pixels of the input"))
    parser.add_argument(
        "--layout", choices=LAYOUTS, help="where the input has its channels; default: what its shape shows"
    )
    parser.add_argument(
        "--image-size", type=image_size, metavar="HxW", help="the size of the input, if the file takes any size"
    )
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="images in one folder per label, which measure the accuracy and show the range of the input",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an older bundle once the new one is complete")
    set_action(parser, WrapOptions, wrap)


def wrap(options: WrapOptions) -> int:
    """Publish the bundle and print its accuracy."""
    from export.wrap import StatedFile
    from export.wrap import wrap as wrap_file

    stated = StatedFile(
        options.labels,
        options.data,
        options.input.resize,
        options.input.stated(),
        StatedShape(options.image_size, options.layout),
        options.input.accept_chance,
    )
    with reported_steps() as steps:
        wrapped = wrap_file(options.model, options.out, stated, overwrite=options.overwrite, warn=_warn, progress=steps)
    if wrapped.accuracy is None:
        accuracy = "not measured; --data measures it"
    else:
        accuracy = f"{wrapped.accuracy:.1%} of {wrapped.images} images"
    print(f"{wrapped.folder}: {wrapped.artifact}; input: {wrapped.reading}; accuracy: {accuracy}")
    report_next("edge-export", f"{wrapped.folder}: the bundle", ["edge-run", "classify", wrapped.folder, "photo.jpg"])
    return SUCCESS


def _warn(line: str) -> None:
    print(f"warning: {line}", file=sys.stderr)
