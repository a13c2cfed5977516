"""The `edge-export` command."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.command import SUCCESS, run_command
from export.gate import Tolerances

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run `edge-export`; see `edge_runtime.command.run_command` for the exit codes."""
    return run_command(_parser(), argv)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edge-export", description="Export a trained classifier, with proof that the files decide like it."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_export(commands)
    _add_verify(commands)
    return parser


def _add_export(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    export = commands.add_parser("export", help="convert a run, prove every file, publish a bundle")
    export.add_argument("run_folder", metavar="RUN", type=Path, help="the folder that edge-train train wrote")
    export.add_argument("--out", metavar="BUNDLE", type=Path, required=True, help="the bundle to publish")
    export.add_argument(
        "--formats",
        nargs="+",
        metavar="NAME",
        type=_artifact_names,
        help="artifacts such as int8.tflite, or all of a format: tflite, onnx (default: all)",
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
    export.add_argument("--overwrite", action="store_true", help="replace an older bundle once the new one is whole")
    export.add_argument("--json", action="store_true", help="print the report as one JSON line")
    export.set_defaults(run=_export)


def _add_verify(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    verify = commands.add_parser("verify", help="check a bundle from itself alone")
    verify.add_argument("bundle", metavar="BUNDLE", type=Path)
    verify.add_argument("--json", action="store_true", help="print one JSON line an artifact and runtime")
    verify.set_defaults(run=_verify)


def _export(args: argparse.Namespace) -> int:
    from export.measure import ARTIFACT_NAMES
    from export.pipeline import export_run
    from export.report import summary_rows

    names = [name for group in args.formats for name in group] if args.formats else list(ARTIFACT_NAMES)
    limits = Tolerances(args.max_abs_diff, args.min_agreement, args.max_accuracy_loss, args.max_recall_loss)
    exported = export_run(
        args.run_folder,
        args.out,
        list(dict.fromkeys(names)),
        tolerances=limits,
        overwrite=args.overwrite,
        tell=lambda line: print(line, file=sys.stderr),
    )
    report = json.loads((exported.folder / "report.json").read_text(encoding="utf-8"))
    if args.json:
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
    from export.measure import ARTIFACT_NAMES

    chosen = [name for name in ARTIFACT_NAMES if text in (name, name.split(".")[1])]
    if not chosen:
        raise argparse.ArgumentTypeError(f"{text!r} is none of tflite, onnx, {', '.join(ARTIFACT_NAMES)}")
    return list(chosen)


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
