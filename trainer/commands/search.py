"""edge-train search: find the smallest network that classifies a data folder well enough."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from edge_runtime.command_line.numbers import non_negative_int, positive_float, positive_int
from edge_runtime.command_line.runner import FAILURE, SUCCESS, set_action
from edge_runtime.command_line.steps import report_next
from trainer.commands.options import CacheOptions, add_cache_options, cache_folder
from trainer.options import OLD_AUGMENTATIONS, RECIPES, Augmentation, ModelName
from trainer.tensorflow_setup import require_modules, require_tensorflow

if TYPE_CHECKING:
    import argparse

SIZES = (96, 128, 160)
MINUTES = 15.0
PAGE = "search.html"


@dataclass(frozen=True)
class SearchOptions:
    """The options of `edge-train search`, as its help describes them."""

    data: list[Path]
    out: Path
    model: list[ModelName] | None
    size: list[int] | None
    weights: str
    device: Path | None
    budget_ms: float | None
    budget_kb: float | None
    minutes: float
    augment: Augmentation
    seed: int
    overwrite: bool
    json: bool
    cache: CacheOptions


def add_parser(commands: Any) -> None:  # noqa: ANN401 - argparse keeps its subparsers' type private
    """Add the subcommand."""
    parser = commands.add_parser(
        "search",
        example="edge-train search photos --out found --budget-ms 5",
        help="find the smallest network that is accurate enough",
        description="Estimate the accuracy of many cuts and image sizes of a pretrained backbone, train and export the "
        "best ones, and write each as a RUN and a BUNDLE, with a page that compares them. A search that was "
        "interrupted is continued by the same command.",
    )
    parser.add_argument("data", type=Path, nargs="+", metavar="DATA", help="as for edge-train train")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder to write")
    parser.add_argument(
        "--budget-ms",
        type=positive_float,
        metavar="MS",
        help="longest time of int8.tflite for one image with one thread, on this machine or on --device",
    )
    parser.add_argument(
        "--device",
        type=Path,
        metavar="JSON",
        help="predict the time on the device on which edge-run bench --operators wrote this file",
    )
    parser.add_argument("--budget-kb", type=positive_float, metavar="KB", help="largest size of int8.tflite")
    parser.add_argument(
        "--minutes",
        type=positive_float,
        default=MINUTES,
        metavar="N",
        help=f"no candidate begins that would probably end later (default: {MINUTES:g})",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace a search of other data or settings")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON line")
    add_cache_options(parser)
    _add_candidate_options(parser.add_argument_group("candidates"))
    set_action(parser, SearchOptions, search)


def _add_candidate_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--model", action="append", choices=RECIPES, help="repeat it for several (default: mobilenet_v2)"
    )
    group.add_argument(
        "--size",
        action="append",
        type=positive_int,
        metavar="PIXELS",
        help=f"image size, repeat it for several (default: {', '.join(map(str, SIZES))})",
    )
    group.add_argument("--weights", default="imagenet", metavar="W", help="of the backbones, as for edge-train train")
    group.add_argument(
        "--augment",
        type=lambda name: OLD_AUGMENTATIONS.get(name, name),
        choices=get_args(Augmentation),
        default="standard",
        help="as for edge-train train",
    )
    group.add_argument("--seed", type=non_negative_int, default=0, help="default: %(default)s")


def search(options: SearchOptions) -> int:
    """Search, print the result and write the page. Return FAILURE if no candidate is within the limits."""
    from trainer.search.candidates import Budget
    from trainer.search.search import SearchSettings
    from trainer.search.search import search as run_search

    require_modules("jinja2")
    require_tensorflow()
    settings = SearchSettings(
        models=tuple(dict.fromkeys(options.model or ["mobilenet_v2"])),
        sizes=tuple(sorted(set(options.size or SIZES))),
        weights=str(Path(options.weights).absolute()) if Path(options.weights).is_file() else options.weights,
        augment=options.augment,
        seed=options.seed,
        device=str(options.device.absolute()) if options.device else "",
    )
    budget = Budget(options.budget_ms, options.budget_kb)
    found = run_search(
        options.data,
        options.out,
        settings,
        budget,
        minutes=options.minutes,
        overwrite=options.overwrite,
        cache=cache_folder(options.cache),
    )
    from trainer.images.explore import write_whole
    from trainer.pages.search import render

    names = ", ".join(folder.name for folder in options.data)
    where = f"the device of {options.device.name}, predicted" if options.device else "this computer"
    write_whole(options.out / PAGE, render(found, names, where))
    print(json.dumps(found.to_json()) if options.json else found.reason)
    made = f"{options.out / PAGE}: the page"
    if found.best is None:
        report_next("edge-train", made, ["edge-train", "search", *options.data, "--out", options.out, "--minutes", 60])
        return FAILURE
    bundle = options.out / found.best.name / "bundle"
    report_next(
        "edge-train",
        made,
        ["edge-run", "classify", bundle, "photo.jpg"],
        ["edge-export", "export", options.out / found.best.name / "run", "--out", "bundle"],
    )
    return SUCCESS
