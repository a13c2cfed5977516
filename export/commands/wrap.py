"""edge-export wrap: make a bundle from a .tflite or .onnx file that is already exported."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from edge_runtime.command_line.runner import SUCCESS, set_action
from edge_runtime.command_line.steps import report_next, reported_steps
from edge_runtime.model.spec import ResizeMode
from export.sources.keras_model import INPUT_RANGES, InputRange


@dataclass(frozen=True)
class WrapOptions:
    """The options of `edge-export wrap`, as its help describes them."""

    model: Path
    labels: Path
    out: Path
    input_range: InputRange | None
    resize: ResizeMode
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
    parser.add_argument("--labels", type=Path, required=True, metavar="FILE", help="one label a line")
    parser.add_argument("--out", metavar="BUNDLE", type=Path, required=True, help="the bundle to publish")
    parser.add_argument("--input-range", choices=INPUT_RANGES, help="the range to which a float input is scaled")
    parser.add_argument("--resize", choices=get_args(ResizeMode), default="stretch", help="default: stretch")
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="images to measure the accuracy with, in one folder per label"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an older bundle once the new one is complete")
    set_action(parser, WrapOptions, wrap)


def wrap(options: WrapOptions) -> int:
    """Publish the bundle and print its accuracy."""
    from export.wrap import wrap as wrap_file

    with reported_steps() as steps:
        wrapped = wrap_file(
            options.model,
            options.labels,
            options.out,
            input_range=options.input_range,
            resize=options.resize,
            data=options.data,
            overwrite=options.overwrite,
            progress=steps,
        )
    if wrapped.accuracy is None:
        accuracy = "not measured; --data measures it"
    else:
        accuracy = f"{wrapped.accuracy:.1%} of {wrapped.images} images"
    print(f"{wrapped.folder}: {wrapped.artifact}; accuracy: {accuracy}")
    report_next("edge-export", f"{wrapped.folder}: the bundle", ["edge-run", "classify", wrapped.folder, "photo.jpg"])
    return SUCCESS
