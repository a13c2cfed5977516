"""`edge-train describe`: what a model is made of, as text, JSON and pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from edge_runtime.command import SUCCESS
from edge_runtime.preprocess import preprocess
from edge_runtime.publish import published_folder
from edge_runtime.spec import ModelSpec
from trainer.arguments import usage_error
from trainer.errors import TrainingError
from trainer.keras_file import load_keras
from trainer.progress import say
from trainer.tensorflow_setup import require_tensorflow

if TYPE_CHECKING:
    import argparse

    from edge_runtime.preprocess import Pixels
    from trainer.models import Model


class Opened(NamedTuple):
    """A model, where it came from, and its contract; None where no spec.json lies beside it."""

    model: Model
    path: Path
    spec: ModelSpec | None


def add_describe(parser: argparse.ArgumentParser) -> None:
    """Give `edge-train describe` its arguments."""
    parser.description = (
        "Tell each layer's output size by the formula (n - f + 2p)/s + 1 and as Keras reports it, its parameters, "
        "multiply-adds and activation memory; draw its filters and what it sees in an image."
    )
    parser.add_argument("model", type=Path, metavar="RUN|MODEL", help="a RUN, or a .keras or .h5 file")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON line")
    parser.add_argument("--out", type=Path, metavar="DIR", help="the folder to write pictures to")
    parser.add_argument("--filters", action="store_true", help="draw each convolution's filters in DIR/filters")
    parser.add_argument("--features", type=Path, metavar="IMAGE", help="draw what each layer sees in DIR/features")
    parser.add_argument("--overwrite", action="store_true", help="replace an older DIR of pictures")
    parser.set_defaults(run=run, misused=parser.error)


def run(args: argparse.Namespace) -> int:
    """Run `edge-train describe`."""
    if bool(args.out) != bool(args.filters or args.features):
        return usage_error(args, "--out DIR goes with --filters, --features IMAGE or both")
    opened = open_described(args.model)
    from trainer.describe import describe
    from trainer.describe_text import text_of

    described = describe(opened.model)
    if args.out:
        _draw(opened, args)
    print(json.dumps(described.to_json()) if args.json else text_of(described))
    return SUCCESS


def open_described(path: Path) -> Opened:
    """Open a RUN's model, or a model's file.

    Raises:
        TrainingError, SpecError: there is none, or it cannot be read.

    """
    if not path.exists():
        raise TrainingError(f"{path}: no such RUN or model")
    if (path / "saved_model.pb").is_file():
        raise TrainingError(f"{path}: a SavedModel holds operations, no layers; describe the .keras or .h5 file")
    require_tensorflow()
    if path.is_dir():
        from trainer.run_dir import read_spec

        spec = read_spec(path)
        return Opened(load_keras(path / "model.keras", "train again"), path, spec)
    beside = path.parent / "spec.json"
    lone = ModelSpec.read(beside) if beside.is_file() else None
    return Opened(load_keras(path, "a .keras or .h5 file of a whole model is wanted"), path, lone)


def _draw(opened: Opened, args: argparse.Namespace) -> None:
    from trainer.describe_pictures import write_features, write_filters

    if args.out.exists() and args.overwrite and not is_pictures(args.out):
        raise TrainingError(f"{args.out}: holds more than pictures of a model, so it is not overwritten")
    pixels = _pixels(args.features, opened) if args.features else None
    with published_folder(args.out, overwrite=args.overwrite, error=TrainingError) as staging:
        if args.filters:
            (staging / "filters").mkdir()
            count = write_filters(staging / "filters", opened.model)
            say(f"{args.out / 'filters'}: the filters of {count} layers")
        if pixels is not None:
            (staging / "features").mkdir()
            count = write_features(staging / "features", opened.model, pixels)
            say(f"{args.out / 'features'}: what {count} layers see in {args.features}")


def is_pictures(folder: Path) -> bool:
    """Tell whether a folder holds nothing but what this command writes."""
    return folder.is_dir() and {entry.name for entry in folder.iterdir()} <= {"filters", "features"}


def _pixels(image: Path, opened: Opened) -> Pixels:
    shape = opened.model.inputs[0].shape
    if len(opened.model.inputs) != 1 or len(shape) != 4 or shape[-1] != 3 or None in shape[1:3]:
        raise TrainingError(f"{opened.path}: takes {tuple(shape)}, not one RGB image, (N, height, width, 3)")
    spec = opened.spec
    if spec is None or (spec.height, spec.width) != tuple(shape[1:3]):
        spec = ModelSpec(height=shape[1], width=shape[2], labels=("a", "b"), output="softmax")
        say(f"no spec.json beside it: {image} is stretched to {shape[2]}x{shape[1]} and given as pixels 0..255")
    return preprocess(image, spec)
