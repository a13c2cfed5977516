"""edge-train explain: draw where a RUN's model looks in photographs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_runtime.command_line.runner import SUCCESS, set_action
from edge_runtime.errors import SourceError
from edge_runtime.storage.publish import published_folder
from trainer.errors import DataError, TrainingError
from trainer.tensorflow_setup import require_tensorflow

if TYPE_CHECKING:
    from edge_runtime.image.preprocess import Pixels
    from edge_runtime.model.spec import ModelSpec
    from trainer.runs.explained import Explained

SIDE = 384  # of the drawn photographs, in pixels


@dataclass(frozen=True)
class ExplainOptions:
    """The options of `edge-train explain`, as its help describes them."""

    run: Path
    photo: list[Path]
    out: Path
    label: str | None
    json: bool
    overwrite: bool


def add_parser(commands: Any) -> None:  # noqa: ANN401 - argparse keeps its subparsers' type private
    """Add the subcommand."""
    parser = commands.add_parser(
        "explain",
        help="draw where a RUN's model looks in photographs",
        description="Draw the class activation map of each photograph: the places that speak for the decided class. "
        "It needs a network with pooled features: every one but cnn.",
        example="edge-train explain run photo.jpg --out explained",
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="the folder that edge-train train wrote")
    parser.add_argument("photo", type=Path, nargs="+", metavar="PHOTO", help="images, or folders of images")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder to write pictures to")
    parser.add_argument("--label", metavar="CLASS", help="explain this class instead of the decided one")
    parser.add_argument("--json", action="store_true", help="print one JSON line per photograph")
    parser.add_argument("--overwrite", action="store_true", help="replace an older DIR of pictures")
    set_action(parser, ExplainOptions, explain)


def explain(options: ExplainOptions) -> int:
    """Write one picture per photograph, and print what is decided."""
    require_tensorflow()
    from trainer.networks.keras_file import load_keras
    from trainer.runs.explained import explain_pixels
    from trainer.runs.run_folder import read_spec

    spec = read_spec(options.run)
    if options.label is not None and options.label not in spec.labels:
        raise TrainingError(f"--label {options.label}: not a class of {options.run}: {', '.join(spec.labels)}")
    if options.out.exists() and options.overwrite and not _is_pictures(options.out):
        raise TrainingError(f"{options.out}: contains other files than pictures, so it is not overwritten")
    paths = _photographs(options.photo)
    pixels = _read(paths, spec)
    model = load_keras(options.run / "model.keras", "train again")
    explained = explain_pixels(model, pixels, spec.labels, options.label)
    if explained is None:
        raise TrainingError(f"{options.run}: cnn has no pooled features, so there is no map; train another --model")
    with published_folder(options.out, overwrite=options.overwrite, error=TrainingError) as staging:
        for number, (path, found) in enumerate(zip(paths, explained, strict=True)):
            _draw(staging / _name(number, path), pixels[number], found)
    for number, (path, found) in enumerate(zip(paths, explained, strict=True)):
        _report(path, options.out / _name(number, path), found, as_json=options.json)
    return SUCCESS


def _photographs(given: list[Path]) -> list[Path]:
    from trainer.data.unfamiliar import pictures_in

    paths = [path for one in given for path in (pictures_in(one) if one.is_dir() else [one])]
    if not paths:
        raise DataError(f"{given[0]}: contains no image")
    return paths


def _read(paths: list[Path], spec: ModelSpec) -> Pixels:
    import numpy as np

    from edge_runtime.image.preprocess import preprocess

    try:
        return np.stack([preprocess(path, spec) for path in paths])
    except SourceError as problem:
        raise DataError(str(problem)) from None


def _name(number: int, path: Path) -> str:
    return f"{number:03}-{path.stem}.png"


def _draw(path: Path, pixels: Pixels, found: Explained) -> None:
    """Write the photograph as the model sees it, and next to it the map."""
    import numpy as np
    from PIL import Image

    both = Image.fromarray(np.concatenate([pixels, found.drawn], axis=1))
    scale = max(1.0, SIDE / both.height)
    both.resize((round(both.width * scale), round(both.height * scale)), Image.Resampling.BICUBIC).save(path)


def _report(path: Path, picture: Path, found: Explained, *, as_json: bool) -> None:
    if as_json:
        row = {"path": str(path), "label": found.label, "score": found.score, "picture": str(picture)}
        print(json.dumps({**row, "explained": found.explained}))
    else:
        print(f"{path}: {found.label} {found.score:.2f}, {picture}")


def _is_pictures(folder: Path) -> bool:
    return folder.is_dir() and all(entry.suffix == ".png" for entry in folder.iterdir())
