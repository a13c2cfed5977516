"""edge-train describe: describe a model's layers as text, JSON and pictures."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from edge_runtime.command_line.runner import SUCCESS, UsageError, set_action
from edge_runtime.command_line.steps import report_next
from edge_runtime.image.preprocess import preprocess
from edge_runtime.model.spec import ModelSpec
from edge_runtime.storage.publish import published_folder
from trainer.errors import TrainingError
from trainer.networks.keras_file import load_keras
from trainer.progress import log
from trainer.tensorflow_setup import require_modules, require_tensorflow

if TYPE_CHECKING:
    from edge_runtime.image.preprocess import Pixels
    from trainer.description.pictures import Drawn
    from trainer.description.summary import Description
    from trainer.networks.models import Model


class Opened(NamedTuple):
    """A model, its file or folder, and its spec; None if there is no spec.json next to it."""

    model: Model
    path: Path
    spec: ModelSpec | None


@dataclass(frozen=True)
class DescribeOptions:
    """The options of `edge-train describe`, as its help describes them."""

    model: Path
    json: bool
    out: Path | None
    filters: bool
    features: Path | None
    overwrite: bool


def add_parser(commands: Any) -> None:  # noqa: ANN401 - argparse keeps its subparsers' type private
    """Add the subcommand."""
    parser = commands.add_parser(
        "describe",
        example="edge-train describe run",
        help="describe a model's layers, sizes, multiply-adds and memory",
        description="Print each layer's output size by the formula (n - f + 2p)/s + 1 and as Keras reports it, its "
        "parameters, multiply-adds and activation memory; draw its filters and feature maps.",
    )
    parser.add_argument("model", type=Path, metavar="RUN|MODEL", help="a RUN, or a .keras or .h5 file")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON line")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="the folder to write pictures and their page, index.html, to"
    )
    parser.add_argument("--filters", action="store_true", help="draw each convolution's filters in DIR/filters")
    parser.add_argument(
        "--features", type=Path, metavar="IMAGE", help="draw each layer's feature maps of this image in DIR/features"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an older DIR of pictures")
    set_action(parser, DescribeOptions, describe)


def describe(options: DescribeOptions) -> int:
    """Print the description, and draw the pictures if asked to."""
    if bool(options.out) != bool(options.filters or options.features):
        raise UsageError("--out DIR goes with --filters, --features IMAGE or both")
    if options.out:
        require_modules("jinja2")
    opened = open_described(options.model)
    from trainer.description import summary
    from trainer.description.text import text_of

    described = summary.describe(opened.model)
    if options.out:
        _draw(opened, described, options.out, options)
    print(json.dumps(described.to_json()) if options.json else text_of(described))
    return SUCCESS


def open_described(path: Path) -> Opened:
    """Open a RUN's model, or a model's file.

    Raises:
        TrainingError, SpecError: there is none, or it cannot be read.

    """
    if not path.exists():
        raise TrainingError(f"{path}: no such RUN or model")
    if (path / "saved_model.pb").is_file():
        raise TrainingError(f"{path}: a SavedModel contains operations, not layers; describe the .keras or .h5 file")
    require_tensorflow()
    if path.is_dir():
        from trainer.runs.run_folder import read_spec

        spec = read_spec(path)
        return Opened(load_keras(path / "model.keras", "train again"), path, spec)
    beside = path.parent / "spec.json"
    lone = ModelSpec.read(beside) if beside.is_file() else None
    return Opened(load_keras(path, "use a .keras or .h5 file of a complete model"), path, lone)


def _draw(opened: Opened, described: Description, out: Path, options: DescribeOptions) -> None:
    from trainer.description.pictures import write_features, write_filters
    from trainer.pages.description import INDEX, render

    if out.exists() and options.overwrite and not is_pictures(out):
        raise TrainingError(f"{out}: contains other files than pictures of a model, so it is not overwritten")
    pixels = _pixels(options.features, opened) if options.features else None
    filters: list[Drawn] = []
    features: list[Drawn] = []
    with published_folder(out, overwrite=options.overwrite, error=TrainingError) as staging:
        if options.filters:
            (staging / "filters").mkdir()
            filters = write_filters(staging / "filters", opened.model)
            log(f"{out / 'filters'}: the filters of {len(filters)} layers")
        if pixels is not None:
            (staging / "features").mkdir()
            features = write_features(staging / "features", opened.model, pixels)
            log(f"{out / 'features'}: the feature maps of {len(features)} layers for {options.features}")
        page = render(described, opened.path, filters=filters, features=features, image=options.features)
        (staging / INDEX).write_text(page, encoding="utf-8")
    report_next("edge-train", f"{out / INDEX}: the page with all pictures", ["xdg-open", out / INDEX])


def is_pictures(folder: Path) -> bool:
    """Return whether a folder contains only what this command writes."""
    from trainer.pages.description import INDEX

    return folder.is_dir() and {entry.name for entry in folder.iterdir()} <= {"filters", "features", INDEX}


def _pixels(image: Path, opened: Opened) -> Pixels:
    shape = opened.model.inputs[0].shape
    if len(opened.model.inputs) != 1 or len(shape) != 4 or shape[-1] != 3 or None in shape[1:3]:
        raise TrainingError(
            f"{opened.path}: its input has shape {tuple(shape)}; it must be one RGB image, (N, height, width, 3)"
        )
    spec = opened.spec
    if spec is None or (spec.height, spec.width) != tuple(shape[1:3]):
        spec = ModelSpec(height=shape[1], width=shape[2], labels=("a", "b"), output="softmax")
        log(
            f"there is no spec.json next to it: {image} is stretched to {shape[2]}x{shape[1]} and used as pixels 0..255"
        )
    return preprocess(image, spec)
