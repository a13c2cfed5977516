"""The `edge-export` command."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from edge_runtime.command import SUCCESS, run_command
from edge_runtime.spec import ResizeMode
from export.artifacts import ALL_NAMES, ARTIFACT_NAMES, EXPENDABLE
from export.calibration import FEWEST, MOST
from export.compat import DEFAULT_FLOORS, parse_floor
from export.errors import ExportError
from export.gate import Tolerances
from export.keras_model import INPUT_RANGES
from export.settings import CALIBRATION_METHODS, IO_TYPES, TARGETS, Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from export.foreign import ForeignModel
    from export.prove import Plan


def main(argv: Sequence[str] | None = None) -> int:
    """Run `edge-export`; see `edge_runtime.command.run_command` for the exit codes."""
    return run_command(_parser(), argv)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edge-export", description="Export a trained classifier, with proof that the files decide like it."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_export(commands)
    _add_wrap(commands)
    _add_verify(commands)
    return parser


def _add_export(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    export = commands.add_parser("export", help="convert a run, prove every file, publish a bundle")
    export.add_argument(
        "run_folder",
        metavar="RUN|MODEL",
        type=Path,
        help="the folder that edge-train train wrote, or a Keras model: .keras, .h5 or a SavedModel",
    )
    _add_foreign(export)
    export.add_argument("--out", metavar="BUNDLE", type=Path, required=True, help="the bundle to publish")
    export.add_argument(
        "--formats",
        nargs="+",
        metavar="NAME",
        type=_artifact_names,
        help="artifacts such as int8.tflite, the usual of a format (tflite, onnx), or all (default: the usual six); "
        f"{', '.join(EXPENDABLE)} are left out where they fail, unless they are named here",
    )
    limits = Tolerances()
    for name, text in (
        ("max_abs_diff", "largest difference of a probability, for float32 artifacts"),
        ("min_agreement", "smallest share of images with the trained model's class, for the others"),
        ("max_accuracy_loss", "largest loss of accuracy, as a fraction"),
        ("max_recall_loss", "largest loss of recall in any class, as a fraction"),
    ):
        option = "--" + name.replace("_", "-")
        default = getattr(limits, name)
        export.add_argument(option, type=_fraction, default=default, metavar="X", help=f"{text} (default {default:g})")
    _add_settings(export)
    export.add_argument("--overwrite", action="store_true", help="replace an older bundle once the new one is whole")
    export.add_argument("--json", action="store_true", help="print the report as one JSON line")
    export.set_defaults(run=_export)


def _add_foreign(export: argparse.ArgumentParser) -> None:
    group = export.add_argument_group("for a MODEL, which says nothing of these")
    group.add_argument("--labels", type=Path, metavar="FILE", help="one label a line, in the order of the outputs")
    group.add_argument(
        "--data", type=Path, metavar="DIR", help="images, in a folder for each label or, less provable, without"
    )
    group.add_argument("--input-range", choices=INPUT_RANGES, help="what the model takes for pixels")
    group.add_argument("--resize", choices=get_args(ResizeMode), default="stretch", help="default: stretch")


def _add_settings(export: argparse.ArgumentParser) -> None:
    usual = Settings()
    for name, choices, text in (
        ("int8_input", IO_TYPES, "type of int8.tflite's input; uint8 takes pixels as they are"),
        ("int8_output", IO_TYPES, "type of int8.tflite's output"),
        ("target", TARGETS, "whose kernels int8.onnx is made for"),
        ("calibration_method", CALIBRATION_METHODS, "how int8.onnx's ranges are taken from activations"),
    ):
        option, default = "--" + name.replace("_", "-"), getattr(usual, name)
        export.add_argument(option, choices=choices, default=default, help=f"{text} (default {default})")
    export.add_argument(
        "--calibration-images",
        type=_calibration_count,
        default=usual.calibration_images,
        metavar="N",
        help=f"at most so many, balanced over the classes, {FEWEST} to {MOST} (default {usual.calibration_images})",
    )
    export.add_argument(
        "--min-runtime",
        nargs="+",
        metavar="NAME==VERSION",
        default=list(DEFAULT_FLOORS),
        help=f"oldest runtimes that must take the files (default {' '.join(DEFAULT_FLOORS)})",
    )
    export.add_argument(
        "--no-ladder",
        dest="ladder",
        action="store_false",
        help="publish nothing when int8.tflite fails, in place of looking for a gentler form that passes",
    )
    export.add_argument(
        "--jobs", type=_jobs, default=1, metavar="N", help="processes that convert at once; 0: this one (default 1)"
    )


def _add_wrap(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser("wrap", help="make a bundle of a .tflite or .onnx file that is exported already")
    command.add_argument("model", metavar="MODEL", type=Path, help="a .tflite or .onnx classifier")
    command.add_argument("--labels", type=Path, required=True, metavar="FILE", help="one label a line")
    command.add_argument("--out", metavar="BUNDLE", type=Path, required=True, help="the bundle to publish")
    command.add_argument("--input-range", choices=INPUT_RANGES, help="what a float input takes for pixels")
    command.add_argument("--resize", choices=get_args(ResizeMode), default="stretch", help="default: stretch")
    command.add_argument("--data", type=Path, metavar="DIR", help="images to prove it with, in a folder for each label")
    command.add_argument("--overwrite", action="store_true", help="replace an older bundle once the new one is whole")
    command.set_defaults(run=_wrap)


def _wrap(args: argparse.Namespace) -> int:
    from export.wrap import wrap

    made = wrap(
        args.model,
        args.labels,
        args.out,
        input_range=args.input_range,
        resize=args.resize,
        data=args.data,
        overwrite=args.overwrite,
    )
    proof = "not measured, --data would" if made.accuracy is None else f"{made.accuracy:.1%} of {made.images} images"
    print(f"{made.folder}: {made.artifact}; accuracy: {proof}")
    return SUCCESS


def _add_verify(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    verify = commands.add_parser("verify", help="check a bundle from itself alone")
    verify.add_argument("bundle", metavar="BUNDLE", type=Path)
    verify.add_argument("--json", action="store_true", help="print one JSON line an artifact and runtime")
    verify.set_defaults(run=_verify)


def _export(args: argparse.Namespace) -> int:
    from export.pipeline import export_foreign, export_run

    foreign = _foreign(args)
    plan = _plan(args)
    if foreign:
        exported = export_foreign(foreign, args.out, plan, overwrite=args.overwrite, tell=_tell)
    else:
        exported = export_run(args.run_folder, args.out, plan, overwrite=args.overwrite, tell=_tell)
    return _show(exported.folder, as_json=args.json)


def _tell(line: str) -> None:
    print(line, file=sys.stderr)


def _foreign(args: argparse.Namespace) -> ForeignModel | None:
    """Give what the user told about a model, or None for a run. Raises ExportError when something is missing."""
    from export.foreign import ForeignModel

    model: Path = args.run_folder
    if not (model.is_file() or (model / "saved_model.pb").is_file()):
        return None
    for option in ("labels", "data", "input_range"):
        if getattr(args, option) is None:
            raise ExportError(f"{model}: a model needs --{option.replace('_', '-')}, which a run would have told")
    return ForeignModel(model, args.labels, args.data, args.input_range, args.resize)


def _plan(args: argparse.Namespace) -> Plan:
    from export.prove import Plan

    names = [name for group in args.formats for name in group] if args.formats else list(ARTIFACT_NAMES)
    named = {group[0] for group in args.formats or () if len(group) == 1}
    return Plan(
        list(dict.fromkeys(names)),
        tolerances=Tolerances(args.max_abs_diff, args.min_agreement, args.max_accuracy_loss, args.max_recall_loss),
        settings=Settings(
            args.int8_input, args.int8_output, args.target, args.calibration_method, args.calibration_images
        ),
        floors=[parse_floor(text) for text in args.min_runtime],
        jobs=args.jobs,
        ladder=args.ladder,
        expendable=[name for name in EXPENDABLE if name not in named],
    )


def _show(bundle: Path, *, as_json: bool) -> int:
    from export.report import summary_rows

    report = json.loads((bundle / "report.json").read_text(encoding="utf-8"))
    if as_json:
        print(json.dumps(report))
        return SUCCESS
    _print_table(summary_rows(report))
    return SUCCESS


def _verify(args: argparse.Namespace) -> int:
    from dataclasses import asdict

    from export.verify import verify_bundle

    found = verify_bundle(args.bundle)
    if args.json:
        for item in found:
            print(json.dumps(asdict(item)))
        return SUCCESS
    rows = [("artifact", "runtime", "images", "drift", "agreement")]
    rows += [
        (item.artifact, item.backend, str(item.images), f"{item.drift:.2g}", f"{item.reference_agreement:.1%}")
        for item in found
    ]
    _print_table(rows)
    return SUCCESS


def _print_table(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        first, *rest = (
            cell.ljust(width) if not at else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  ".join([first, *rest]))


def _artifact_names(text: str) -> list[str]:
    if text == "all":
        return list(ALL_NAMES)
    chosen: list[str] = [name for name in ARTIFACT_NAMES if text == name.split(".")[1]] or [text]
    if not set(chosen) <= set(ALL_NAMES):
        raise argparse.ArgumentTypeError(f"{text!r} is none of tflite, onnx, all, {', '.join(ALL_NAMES)}")
    return chosen


def _calibration_count(text: str) -> int:
    return _whole(text, FEWEST, MOST)


def _jobs(text: str) -> int:
    return _whole(text, 0, 64)


def _whole(text: str, low: int, high: int) -> int:
    value = int(text) if text.isascii() and text.isdigit() else -1
    if not low <= value <= high:
        raise argparse.ArgumentTypeError(f"must be a whole number from {low} to {high}, not {text!r}")
    return value


def _fraction(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1")
    return value


if __name__ == "__main__":
    raise SystemExit(main())
