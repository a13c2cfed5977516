"""edge-train explore: look at a data folder before training on it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_runtime.command_line.runner import SUCCESS, set_action
from edge_runtime.command_line.steps import report_next
from trainer.commands.options import CacheOptions, add_cache_options, add_data_options, cache_folder
from trainer.options import RECIPES, DataOptions
from trainer.tensorflow_setup import require_modules

if TYPE_CHECKING:
    import argparse

    from trainer.images.explore import Exploration

LEAKS_SHOWN = 10
IMAGE_SIZE = RECIPES["mobilenet_v2"].image_size


@dataclass(frozen=True)
class ExploreOptions:
    """The options of `edge-train explore`, as its help describes them."""

    data: list[Path]
    html: Path | None
    csv: Path | None
    json: bool
    cache: CacheOptions
    reading: DataOptions


def add_parser(commands: Any) -> None:  # noqa: ANN401 - argparse keeps its subparsers' type private
    """Add the subcommand."""
    parser = commands.add_parser(
        "explore",
        example="edge-train explore photos --html data.html",
        help="look at a data folder before training",
        description="Describe a data folder: its classes, image sizes, files that cannot be used, and near-duplicates.",
    )
    parser.add_argument(
        "data",
        type=Path,
        nargs="+",
        metavar="DATA",
        help="folders with one folder per class, or with train/, validation/, test/ with such folders",
    )
    parser.add_argument("--html", type=Path, metavar="REPORT", help="write a page with pictures")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write one row for each file")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON line")
    add_cache_options(parser)
    add_data_options(parser.add_argument_group("how the data is read"), image_size_help=f"default: {IMAGE_SIZE}")
    set_action(parser, ExploreOptions, explore, complete=_complete)


def _complete(args: argparse.Namespace) -> None:
    args.image_size = args.image_size or IMAGE_SIZE


def explore(options: ExploreOptions) -> int:
    """Read the data folder, print a summary, and write the CSV and the page if asked to."""
    require_modules("imagehash", "cv2", "jinja2")
    from trainer.images.explore import explore as explore_dataset
    from trainer.images.explore import write_table, write_whole
    from trainer.images.read_data import read_data

    found = explore_dataset(read_data(options.data, options.reading, cache_folder(options.cache)))
    if options.csv:
        write_table(options.csv, found)
    if options.html:
        from trainer.images.augment import LIMITS
        from trainer.pages.exploration import render

        write_whole(options.html, render(found, LIMITS[options.reading.augment]))
    if options.json:
        print(json.dumps(found.to_json()))
    else:
        _print(found)
    made = ", ".join(str(path) for path in (options.csv, options.html) if path)
    report_next("edge-train", f"written: {made}" if made else "", ["edge-train", "train", options.data, "--out", "run"])
    return SUCCESS


def _print(found: Exploration) -> None:
    from trainer.images.explore import warnings

    for label, splits in found.counts().items():
        counts = ", ".join(f"{count} {split}" for split, count in splits.items())
        print(f"{label}: {sum(splits.values())} photographs, {counts}")
    pairs, leaks = len(found.pairs), found.leaks()
    across = f"{len(leaks)} across splits" if leaks else "none across splits"
    print(f"{pairs} pair{'s'[: pairs != 1]} of near-duplicates ({across})")
    for pair in leaks[:LEAKS_SHOWN]:
        print(f"  {found.describe_pair(pair)}")
    for text in warnings(found):
        print(f"warning: {text}")
