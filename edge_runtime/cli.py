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
    from edge_runtime.many import Outcome
    from edge_runtime.progress import Progress


COMMANDS = {  # in the order of --help: the module and the function that adds the command
    "classify": (__name__, "add_classify"),
    "inspect": (__name__, "add_inspect"),
    "watch": ("edge_runtime.watch", "add_watch"),
    "serve": ("edge_runtime.web.command", "add_serve"),
    "service": ("edge_runtime.service", "add_service"),
    "doctor": ("edge_runtime.doctor.command", "add_doctor"),
    "selftest": ("edge_runtime.selftest_command", "add_selftest"),
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
        "paths", metavar="PATH", nargs="+", help="image, folder (searched through), 'quoted/**/*.jpg', or - (stdin)"
    )
    command.add_argument("--json", action="store_true", help="one JSON object a line, timings in _ms included")
    command.add_argument("--artifact", metavar="NAME", help="such as int8.tflite (default: the bundle's)")
    command.add_argument("--backend", choices=BACKEND_NAMES, help="default: LiteRT before tflite-runtime for .tflite")
    command.add_argument("--threads", type=positive_int, metavar="N", help="default: one a core, four at most")
    command.add_argument(
        "--workers", type=positive_int, metavar="N", help="images at once (default: for many images, one a core)"
    )
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
    from edge_runtime.bundle import Bundle
    from edge_runtime.classifier import Classifier
    from edge_runtime.many import classify_many, given_images

    bundle = Bundle.open(args.bundle)

    def open_classifier(beside_others: bool) -> Classifier:
        threads = args.threads or (1 if beside_others else None)
        return Classifier.open(bundle, artifact=args.artifact, backend=args.backend, threads=threads)

    def classify(classifier: Classifier, path: str) -> Prediction:
        return classifier.classify(path, top_k=args.top_k, min_score=args.min_score)

    failures = 0
    progress = _progress(args)
    for outcome in classify_many(given_images(args.paths), open_classifier, classify, args.workers):
        failures += outcome.problem is not None
        _tell(outcome, as_json=args.json)
        if progress:
            progress.step()
    if progress:
        progress.close()
    return FAILURE if failures else SUCCESS


def _progress(args: argparse.Namespace) -> Progress | None:
    """Give a bar where somebody sees it and no result comes between; standard input cannot be counted beforehand."""
    if not sys.stderr.isatty() or sys.stdout.isatty():
        return None
    from edge_runtime.many import given_images
    from edge_runtime.progress import Progress

    countable = [given for given in args.paths if given != "-"]
    return Progress(sys.stderr, lambda: sum(1 for _ in given_images(countable)) if countable == args.paths else 0)


def _tell(outcome: Outcome, *, as_json: bool) -> None:
    path, prediction, problem = outcome
    if problem:
        _tell_failure(path, problem, as_json=as_json)
    elif prediction:
        print(json.dumps({"path": path, **prediction.to_json()}) if as_json else _line(path, prediction))


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
