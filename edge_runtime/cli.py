"""edge-run: name what images and cameras show, look into bundles. A thin shell; heavy modules come with a command."""

from __future__ import annotations

import argparse
import json
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from edge_runtime.backends import BACKEND_NAMES
from edge_runtime.command import FAILURE, SUCCESS, add_version, fraction, one_line, positive_int, run_command
from edge_runtime.errors import BundleError, SourceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_runtime.classifier import Classifier, Prediction


COMMANDS = {  # in the order of --help: the module and the function that adds the command
    "classify": (__name__, "add_classify"),
    "inspect": (__name__, "add_inspect"),
    "watch": ("edge_runtime.watch", "add_watch"),
    "serve": ("edge_runtime.web.command", "add_serve"),
    "service": ("edge_runtime.service", "add_service"),
    "doctor": ("edge_runtime.doctor.command", "add_doctor"),
    "bench": ("edge_runtime.bench.command", "add_bench"),
    "tune-decision": ("edge_runtime.tune_decision", "add_tune_decision"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and give its exit code: 0 success, 1 an expected failure, 2 usage."""
    given = sys.argv[1:] if argv is None else argv
    return run_command(_parser(next((word for word in given if not word.startswith("-")), None)), given)


def _parser(asked: str | None) -> argparse.ArgumentParser:
    """Build the parser of one command, or of all where none that exists is asked for: building all takes a while."""
    parser = argparse.ArgumentParser(
        prog="edge-run", description="Run an exported image classifier on a small CPU device.", allow_abbrev=False
    )
    add_version(parser)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, (module, function) in COMMANDS.items():
        if asked == name or asked not in COMMANDS:
            getattr(import_module(module), function)(commands)
    return parser


def add_classify(commands: Any) -> None:  # noqa: ANN401 - argparse keeps its subparsers' type private
    """Add the command to edge-run's."""
    command = commands.add_parser(
        "classify",
        help="name what images show",
        description="Name what images show. A bad image is told on stderr, the others are classified, the exit is 1.",
        allow_abbrev=False,
    )
    command.add_argument("bundle", metavar="BUNDLE", help="folder that edge-export wrote")
    command.add_argument(
        "paths", metavar="PATH", nargs="+", help="image, folder (searched through) or 'quoted/**/*.jpg'"
    )
    command.add_argument("--json", action="store_true", help="one JSON object a line, timings in _ms included")
    command.add_argument("--artifact", metavar="NAME", help="such as int8.tflite (default: the bundle's)")
    command.add_argument("--backend", choices=BACKEND_NAMES, help="default: LiteRT before tflite-runtime for .tflite")
    command.add_argument("--threads", type=positive_int, metavar="N", help="default: one a core, four at most")
    command.add_argument("--min-score", type=fraction, metavar="X", help="below it: unknown (default: the spec's)")
    command.add_argument("--top-k", type=positive_int, metavar="K", default=3, help="classes to tell (default: 3)")
    command.set_defaults(run=_classify)


def add_inspect(commands: Any) -> None:  # noqa: ANN401 - argparse keeps its subparsers' type private
    """Add the command to edge-run's."""
    command = commands.add_parser(
        "inspect",
        help="show what a bundle holds",
        description="Show what a bundle holds and check its digests.",
        allow_abbrev=False,
    )
    command.add_argument("bundle", metavar="BUNDLE", help="folder that edge-export wrote")
    command.add_argument("--json", action="store_true", help="one JSON object")
    command.add_argument("--time", action="store_true", help="also run each artifact here and tell its milliseconds")
    command.set_defaults(run=_inspect)


def _classify(args: argparse.Namespace) -> int:
    from edge_runtime.classifier import Classifier

    classifier = Classifier.open(args.bundle, artifact=args.artifact, backend=args.backend, threads=args.threads)
    failures = sum(_classify_given(classifier, given, args) for given in args.paths)
    return FAILURE if failures else SUCCESS


def _classify_given(classifier: Classifier, given: str, args: argparse.Namespace) -> int:
    """Classify the images that one argument names; give the number that failed."""
    from edge_runtime.sources import image_files

    failures = 0
    try:
        for path in image_files(given):
            failures += not _classify_one(classifier, path, args)
    except SourceError as problem:  # the argument itself; the next may be good
        _tell_failure(given, problem, as_json=args.json)
        failures += 1
    return failures


def _classify_one(classifier: Classifier, path: str, args: argparse.Namespace) -> bool:
    """Classify one image and print its line; False if it cannot be read."""
    try:
        prediction = classifier.classify(path, top_k=args.top_k, min_score=args.min_score)
    except SourceError as problem:
        _tell_failure(path, problem, as_json=args.json)
        return False
    print(json.dumps({"path": path, **prediction.to_json()}) if args.json else _line(path, prediction))
    return True


def _tell_failure(path: str, problem: SourceError, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"path": path, "error": str(problem)}))
    sys.stdout.flush()  # so that the two streams tell things in their order
    print(f"edge-run: {one_line(problem)}", file=sys.stderr)


def _line(path: str, prediction: Prediction) -> str:
    """Give `cat.jpg  cat 0.98  (dog 0.02)`; of an unknown, every top class stands in the brackets."""
    shown = path if path.isprintable() else ascii(path)
    rest = [item for item in prediction.top if item.label != prediction.label]
    others = ", ".join(f"{item.label} {item.score:.2f}" for item in rest)
    return f"{shown}  {prediction.label} {prediction.score:.2f}" + (f"  ({others})" if others else "")


def _inspect(args: argparse.Namespace) -> int:
    from edge_runtime.bundle import Bundle
    from edge_runtime.inspection import describe, render

    description = describe(Bundle.open(args.bundle), timed=args.time)
    print(json.dumps(description) if args.json else render(description))
    if description["damaged"]:
        raise BundleError(description["damaged"][0])
    return SUCCESS


if __name__ == "__main__":
    sys.exit(main())
