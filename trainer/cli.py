"""`edge-train`: train, explore, evaluate, describe, and draw a set of shapes to try it on."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from edge_runtime.command import SUCCESS, add_version, fraction, positive_int, run_command
from edge_runtime.spec import ResizeMode
from trainer.arguments import below_one, inner_fraction, not_negative, positive_float, usage_error, whole
from trainer.describe_command import add_describe
from trainer.options import RECIPES, Augmentation, ClassWeights, Options, Strategy, recipe_of
from trainer.tensorflow_setup import require_modules

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trainer.evaluate import Evaluation

LEAKS_TOLD = 10
PLACES = ("background", "tensorboard", "weights")  # kept as absolute paths, so that a run may go on from another folder


def main(argv: Sequence[str] | None = None) -> int:
    """Run `edge-train`; 0 success, 1 an expected failure, 2 usage, 130 interrupted."""
    return run_command(build_parser(), argv)


def build_parser() -> argparse.ArgumentParser:
    """Build the parser; each subcommand sets `run`, a function of the parsed arguments."""
    parser = argparse.ArgumentParser(prog="edge-train", description=__doc__)
    add_version(parser)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_train(commands.add_parser("train", help="train a classifier on a folder of photographs"))
    _add_explore(commands.add_parser("explore", help="look at a data folder before training"))
    _add_evaluate(commands.add_parser("evaluate", help="measure a RUN on its test photographs"))
    add_describe(commands.add_parser("describe", help="tell a model's layers, sizes, multiply-adds and memory"))
    _add_shapes(commands.add_parser("shapes", help="draw a small set of shapes to train on"))
    return parser


def _add_train(parser: argparse.ArgumentParser) -> None:
    parser.description = "Train a classifier on a folder of photographs and write a RUN folder."
    parser.add_argument(
        "data", type=Path, nargs="?", metavar="DATA", help="a folder per class, or train/ and test/ of these"
    )
    parser.add_argument("--model", choices=RECIPES, default="mobilenet_v2", help="default: %(default)s")
    parser.add_argument("--out", type=Path, metavar="RUN", help="the folder to write")
    parser.add_argument(
        "--resume", type=Path, metavar="RUN", help="go on with a run that was stopped, as it was asked for; no DATA"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an older RUN")
    parser.add_argument("--h5", action="store_true", help="also write model.h5")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON line")
    _add_cache(parser)
    _add_data_options(parser.add_argument_group("data"))
    _add_learning_options(parser.add_argument_group("learning"))
    _add_backbone_options(parser.add_argument_group("mobilenet_*"))
    parser.add_argument_group("cnn").add_argument("--pooling", choices=("max", "none"), default="max")
    _add_device_options(parser.add_argument_group("devices"))
    parser.set_defaults(run=_train, misused=parser.error)


def _add_data_options(group: argparse._ActionsContainer) -> None:
    group.add_argument("--image-size", type=positive_int, metavar="PIXELS", help=_defaults("image_size"))
    group.add_argument("--resize", choices=get_args(ResizeMode), default="stretch", help="default: %(default)s")
    group.add_argument("--background", default="", metavar="DIR", help="images of none of the classes: one class more")
    group.add_argument(
        "--validation-fraction", type=inner_fraction, default=0.1, metavar="F", help="default: %(default)s"
    )
    group.add_argument("--test-fraction", type=inner_fraction, default=0.2, metavar="F", help="default: %(default)s")
    group.add_argument(
        "--augment",
        choices=get_args(Augmentation),
        default="article",
        help="article: turned, moved, mirrored photographs too; photo: zoomed more, turned less, and in other light; "
        "gentle: turned a little, for what is upright and centred, such as signs; none: as they are",
    )
    group.add_argument("--no-augment", dest="augment", action="store_const", const="none", help="--augment none")


def _add_learning_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--epochs", type=positive_int, help=f"at most so many, {_defaults('epochs')}")
    group.add_argument(
        "--patience", type=positive_int, help=f"epochs without progress before training stops, {_defaults('patience')}"
    )
    group.add_argument("--batch-size", type=positive_int, default=32, help="default: %(default)s")
    group.add_argument("--learning-rate", type=positive_float, help=_defaults("learning_rate"))
    group.add_argument("--weight-decay", type=not_negative, metavar="F", help=_defaults("weight_decay"))
    group.add_argument("--label-smoothing", type=below_one, metavar="F", help=_defaults("label_smoothing"))
    group.add_argument("--mixup", type=not_negative, default=0.0, metavar="ALPHA", help="blend photographs, as 0.2")
    group.add_argument("--dropout", type=below_one, default=0.2, help="before the last layer, default: %(default)s")
    group.add_argument(
        "--class-weights",
        choices=get_args(ClassWeights),
        default="auto",
        help="rare classes weigh more; auto: where the largest has over 1.5 times the smallest's photographs",
    )
    group.add_argument(
        "--precision", type=fraction, default=0.0, metavar="P", help="decide a class only from the score that reaches P"
    )
    group.add_argument("--tensorboard", default="", metavar="DIR", help="write TensorBoard's logs there")
    group.add_argument("--seed", type=whole, default=0, help="default: %(default)s")


def _defaults(setting: str) -> str:
    """Say what each model takes unless told; the MobileNets share one recipe."""
    values = {
        re.sub("^mobilenet_.*", "mobilenet_*", name): getattr(recipe, setting) for name, recipe in RECIPES.items()
    }
    return "default: " + ", ".join(f"{name} {value:g}" for name, value in values.items())


def _add_device_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--strategy",
        choices=get_args(Strategy),
        default="auto",
        help="share each batch: among this machine's GPUs, or the machines in TF_CONFIG; auto: what there is",
    )
    group.add_argument("--mixed-precision", action="store_true", help="compute in float16 on a GPU")


def _add_backbone_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--weights",
        default="imagenet",
        help="imagenet (downloads), a FILE.weights.h5, or none: the whole network learns from scratch, by cnn_bn's "
        "defaults but for the size",
    )
    group.add_argument("--alpha", type=positive_float, default=1.0, help="width of the backbone, default: %(default)s")
    group.add_argument(
        "--views",
        type=whole,
        metavar="N",
        help="augmented views of each photograph for the frozen layers, default: 2 below 100 photographs, else none",
    )
    group.add_argument(
        "--fine-tune-layers",
        type=whole,
        metavar="N",
        help="so many of the backbone's last layers learn in a second phase; default: 60, where a head alone misses "
        "more than 4%% of photographs held out in turn; 0: never; with --weights none, all learn in one phase",
    )
    group.add_argument("--fine-tune-epochs", type=positive_int, default=6, help="default: %(default)s")
    group.add_argument("--fine-tune-rate", type=positive_float, default=1e-4, help="default: %(default)s")


def _add_explore(parser: argparse.ArgumentParser) -> None:
    parser.description = "Tell what a data folder is like: classes, sizes, files left out, photographs that look alike."
    parser.add_argument("data", type=Path, metavar="DATA", help="a folder per class, or train/ and test/ of these")
    parser.add_argument("--html", type=Path, metavar="REPORT", help="write a page with pictures")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write a row for every file")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON line")
    parser.add_argument("--seed", type=whole, default=0, help="of the split, default: %(default)s")
    _add_cache(parser)
    _add_data_options(parser)
    parser.set_defaults(run=_explore, model="mobilenet_v2")


def _add_cache(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cache", type=Path, metavar="DIR", help="where preprocessed pixels are kept for the next run")
    parser.add_argument("--no-cache", action="store_true", help="keep none")


def _add_evaluate(parser: argparse.ArgumentParser) -> None:
    parser.description = "Measure a RUN's model on the test photographs that it keeps, or on another labelled folder."
    parser.add_argument("folder", type=Path, metavar="RUN")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON line")
    parser.add_argument("--data", type=Path, metavar="DIR", help="a folder per class, instead of the RUN's photographs")
    parser.add_argument("--html", type=Path, metavar="REPORT", help="write a page with pictures")
    parser.set_defaults(run=_evaluate)


def _add_shapes(parser: argparse.ArgumentParser) -> None:
    parser.description = "Draw shapes of varied colour, size, angle and background, a folder per shape."
    parser.add_argument("out", type=Path, metavar="OUT", help="the folder to write")
    parser.add_argument("--count", type=positive_int, default=500, help="images of each shape, default: %(default)s")
    parser.add_argument("--size", type=positive_int, default=64, help="sides in pixels, default: %(default)s")
    parser.add_argument("--seed", type=whole, default=0, help="default: %(default)s")
    parser.add_argument("--overwrite", action="store_true", help="replace an older set of shapes")
    parser.set_defaults(run=_shapes)


def _train(args: argparse.Namespace) -> int:
    from trainer.train import resume, train

    if args.resume and (args.data or args.out):
        return usage_error(args, "--resume takes neither DATA nor --out: the run knows them")
    if not args.resume and not (args.data and args.out):
        return usage_error(args, "DATA and --out RUN are needed, or --resume RUN")
    cache = _cache_of(args)
    if args.resume:
        _print(resume(args.resume, cache), as_json=args.json)
        return SUCCESS
    evaluation = train(args.data, args.out, options_of(args), legacy_h5=args.h5, overwrite=args.overwrite, cache=cache)
    _print(evaluation, as_json=args.json)
    return SUCCESS


def _explore(args: argparse.Namespace) -> int:
    require_modules("imagehash", "cv2", "matplotlib")
    from trainer.explore import look, warnings, write_table, write_whole
    from trainer.read_data import read_data

    size = args.image_size or RECIPES[args.model].image_size
    options = Options(
        args.model, size, 1, 1, 1.0,
        resize=args.resize, background=_absolute(args.background), seed=args.seed,
        validation_fraction=args.validation_fraction, test_fraction=args.test_fraction,
    )  # fmt: skip
    seen = look(read_data(args.data, options, _cache_of(args)))
    if args.csv:
        write_table(args.csv, seen)
    if args.html:
        from trainer.augment import LIMITS
        from trainer.explore_page import render

        write_whole(args.html, render(seen, LIMITS[args.augment]))
    if args.json:
        print(json.dumps(seen.to_json()))
        return SUCCESS
    for label, splits in seen.counts().items():
        print(
            f"{label}: {sum(splits.values())} photographs, " + ", ".join(f"{n} {split}" for split, n in splits.items())
        )
    print(f"{len(seen.pairs)} pairs look alike, {len(seen.leaks())} of them in different splits")
    for pair in seen.leaks()[:LEAKS_TOLD]:
        print(f"  {seen.told(pair)}")
    for text in warnings(seen):
        print(f"warning: {text}")
    return SUCCESS


def _cache_of(args: argparse.Namespace) -> Path | None:
    from trainer.cache import default_cache

    return None if args.no_cache else args.cache or default_cache()


def _evaluate(args: argparse.Namespace) -> int:
    from trainer.reevaluate import measure_run

    measured = measure_run(args.folder, args.data)
    if args.html:
        from trainer.evaluate_page import render
        from trainer.explore import write_whole

        write_whole(args.html, render(measured, f"{args.folder.name} on {args.data or 'its test photographs'}"))
    _print(measured.evaluation, as_json=args.json)
    return SUCCESS


def _shapes(args: argparse.Namespace) -> int:
    from trainer.shapes import OUTLINES, write_shapes

    write_shapes(args.out, count=args.count, size=args.size, seed=args.seed, overwrite=args.overwrite)
    print(f"{args.out}: {args.count} images each of {', '.join(OUTLINES)}")
    return SUCCESS


def options_of(args: argparse.Namespace) -> Options:
    """Give the training options; what was not passed is the model's default."""
    values: dict[str, Any] = {name: getattr(args, name) for name in Options.__dataclass_fields__}
    values |= {name: _absolute(values[name]) for name in PLACES}
    recipe: dict[str, Any] = recipe_of(args.model, args.weights)._asdict()
    values |= {name: default for name, default in recipe.items() if values[name] is None}
    return Options(**values)


def _absolute(place: str) -> str:
    return place if place in {"", "imagenet", "none"} else str(Path(place).absolute())


def _print(evaluation: Evaluation | None, *, as_json: bool) -> None:
    if evaluation is None:  # the chief of several workers has it
        return
    print(json.dumps(evaluation.to_json()) if as_json else evaluation.to_table())


if __name__ == "__main__":
    raise SystemExit(main())
