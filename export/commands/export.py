"""edge-export export: convert a model, prove every file, publish a bundle."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from edge_runtime.command_line.numbers import fraction, integer
from edge_runtime.command_line.runner import SUCCESS, set_action
from edge_runtime.command_line.steps import report_next, reported_steps
from export.artifacts import ALL_NAMES, ARTIFACT_NAMES, EXPENDABLE, ArtifactName
from export.commands.options import InputOptions, add_input_options
from export.commands.table import print_table
from export.errors import ExportError
from export.proof.gate import Tolerances
from export.proof.plan import Plan
from export.runtimes.compatibility import DEFAULT_FLOORS, parse_floor
from export.settings import CALIBRATION_METHODS, IO_TYPES, TARGETS, Settings
from export.sources.calibration import FEWEST, MOST
from export.sources.foreign import ForeignModel

MAX_JOBS = 64


@dataclass(frozen=True)
class ForeignOptions:
    """What a user must say about a model that `edge-train` did not write, as the help describes it."""

    labels: Path | None
    data: Path | None
    input: InputOptions


@dataclass(frozen=True)
class ExportOptions:
    """The options of `edge-export export`, as its help describes them."""

    model: Path
    out: Path
    formats: list[list[ArtifactName]] | None
    foreign: ForeignOptions
    tolerances: Tolerances
    settings: Settings
    min_runtime: list[str]
    ladder: bool
    better_than: Path | None
    jobs: int
    overwrite: bool
    json: bool


def add_parser(commands: Any) -> None:  # noqa: ANN401 - argparse keeps its subparsers' type private
    """Add the subcommand."""
    parser = commands.add_parser(
        "export",
        example="edge-export export run --out bundle",
        help="convert a model, prove every file, publish a bundle",
        description="Convert a RUN or a Keras model to TFLite and ONNX, compare every file with the trained model on "
        "held-out images, and publish a bundle if they pass.",
    )
    parser.add_argument(
        "model",
        metavar="RUN|MODEL",
        type=Path,
        help="the folder that edge-train train wrote, or a Keras model: .keras, .h5 or a SavedModel",
    )
    _add_foreign_options(parser)
    parser.add_argument("--out", metavar="BUNDLE", type=Path, required=True, help="the bundle to publish")
    parser.add_argument(
        "--formats",
        nargs="+",
        metavar="NAME",
        type=_artifact_names,
        help="artifacts such as int8.tflite, the standard ones of a format (tflite, onnx), or all (default: the "
        f"standard six); {', '.join(EXPENDABLE)} are left out if they fail, unless they are named here",
    )
    _add_tolerances(parser.add_argument_group("limits of the proof"))
    _add_settings(parser.add_argument_group("conversion"))
    parser.add_argument(
        "--better-than",
        type=Path,
        metavar="BUNDLE",
        help="publish nothing if the new model is worse than this bundle beyond chance, on the held-out images",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an older bundle once the new one is complete")
    parser.add_argument("--json", action="store_true", help="print the report as one JSON line")
    set_action(parser, ExportOptions, export)


def _add_foreign_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("for a MODEL that edge-train did not write")
    group.add_argument("--labels", type=Path, metavar="FILE", help="one label a line, in the order of the outputs")
    group.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="images in one folder per label; or unlabelled images, with which accuracy cannot be measured",
    )
    add_input_options(group)


def _add_tolerances(group: argparse._ArgumentGroup) -> None:
    limits = Tolerances()
    for name, text in (
        ("max_abs_diff", "largest difference of a probability, for float32 artifacts"),
        ("min_agreement", "smallest fraction of images with the trained model's class, for the others"),
        ("max_accuracy_loss", "largest loss of accuracy, as a fraction"),
        ("max_recall_loss", "largest loss of recall in any class, as a fraction"),
    ):
        option, default = "--" + name.replace("_", "-"), getattr(limits, name)
        group.add_argument(option, type=fraction, default=default, metavar="X", help=f"{text} (default {default:g})")


def _add_settings(group: argparse._ArgumentGroup) -> None:
    standard = Settings()
    for name, choices, text in (
        ("int8_input", IO_TYPES, "type of int8.tflite's input; uint8 takes pixels unchanged"),
        ("int8_output", IO_TYPES, "type of int8.tflite's output"),
        ("target", TARGETS, "the processors for whose kernels int8.onnx is made"),
        ("calibration_method", CALIBRATION_METHODS, "how int8.onnx's ranges are computed from activations"),
    ):
        option, default = "--" + name.replace("_", "-"), getattr(standard, name)
        group.add_argument(option, choices=choices, default=default, help=f"{text} (default {default})")
    group.add_argument(
        "--calibration-images",
        type=partial(integer, low=FEWEST, high=MOST),
        default=standard.calibration_images,
        metavar="N",
        help=f"maximum, balanced over the classes, {FEWEST} to {MOST} (default {standard.calibration_images})",
    )
    group.add_argument(
        "--min-runtime",
        nargs="+",
        metavar="NAME==VERSION",
        default=list(DEFAULT_FLOORS),
        help=f"oldest runtimes that must support the files (default {' '.join(DEFAULT_FLOORS)})",
    )
    group.add_argument(
        "--no-ladder",
        dest="ladder",
        action="store_false",
        help="if int8.tflite fails, publish nothing, instead of trying less aggressive quantization",
    )
    group.add_argument(
        "--jobs",
        type=partial(integer, low=0, high=MAX_JOBS),
        default=1,
        metavar="N",
        help="processes that convert in parallel; 0 converts in this process (default 1)",
    )


def export(options: ExportOptions) -> int:
    """Export, and print a summary of the report."""
    if find_spec("jinja2") is None:  # checked first, because the report is written last
        raise ExportError("jinja2 is not installed; install it with: pip install 'edgewise[export]'")
    from export.pipeline import export_foreign, export_run

    foreign, plan = _foreign_model(options), _plan(options)
    with reported_steps() as steps:
        if foreign:
            exported = export_foreign(foreign, options.out, plan, overwrite=options.overwrite, progress=steps)
        else:
            exported = export_run(options.model, options.out, plan, overwrite=options.overwrite, progress=steps)
    _print_report(exported.folder, as_json=options.json)
    report_next(
        "edge-export",
        f"{exported.folder}: the bundle, with its proof in {exported.folder / 'report.html'}",
        ["edge-run", "classify", exported.folder, "photo.jpg"],
        ["edge-run", "selftest", exported.folder],
    )
    return SUCCESS


def _foreign_model(options: ExportOptions) -> ForeignModel | None:
    """Return what the user said about a model, or None for a RUN. Raise ExportError if something is missing."""
    model, foreign = options.model, options.foreign
    if not (model.is_file() or (model / "saved_model.pb").is_file()):
        return None
    if foreign.labels is None or foreign.data is None:
        missing = "--labels" if foreign.labels is None else "--data"
        raise ExportError(f"{model}: {missing} is needed for a model that edge-train did not write")
    return ForeignModel(
        model,
        foreign.labels,
        foreign.data,
        resize=foreign.input.resize,
        stated=foreign.input.stated(),
        accept_chance=foreign.input.accept_chance,
    )


def _plan(options: ExportOptions) -> Plan:
    formats = options.formats or []
    names = [name for group in formats for name in group] or list(ARTIFACT_NAMES)
    named = {group[0] for group in formats if len(group) == 1}
    return Plan(
        list(dict.fromkeys(names)),
        tolerances=options.tolerances,
        settings=options.settings,
        floors=[parse_floor(text) for text in options.min_runtime],
        jobs=options.jobs,
        ladder=options.ladder,
        better_than=options.better_than,
        expendable=[name for name in EXPENDABLE if name not in named],
    )


def _print_report(bundle: Path, *, as_json: bool) -> None:
    from export.bundle.report import summary_rows

    report = json.loads((bundle / "report.json").read_text(encoding="utf-8"))
    if as_json:
        print(json.dumps(report))
    else:
        print_table(summary_rows(report))


def _artifact_names(text: str) -> list[ArtifactName]:
    if text == "all":
        return list(ALL_NAMES)
    chosen: list[ArtifactName] = [name for name in ARTIFACT_NAMES if text == name.split(".")[1]]
    chosen = chosen or [name for name in ALL_NAMES if text == name]
    if not chosen:
        raise argparse.ArgumentTypeError(f"must be one of tflite, onnx, all, {', '.join(ALL_NAMES)}, not {text!r}")
    return chosen
