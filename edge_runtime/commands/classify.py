"""edge-run classify: classify images, one line each."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge_runtime.command_line.numbers import fraction, positive_int
from edge_runtime.command_line.runner import FAILURE, SUCCESS, set_action
from edge_runtime.commands.options.model import ModelOptions, add_model_options
from edge_runtime.commands.options.paths import check_paths
from edge_runtime.errors import SourceError, one_line

if TYPE_CHECKING:
    from edge_runtime.classify.classifier import Classifier, Prediction
    from edge_runtime.classify.many import Outcome
    from edge_runtime.command_line.progress import Progress


@dataclass(frozen=True)
class ClassifyOptions:
    """The options of `edge-run classify`, as its help describes them."""

    bundle: str
    paths: list[str]
    json: bool
    model: ModelOptions
    workers: int | None
    min_score: float | None
    top_k: int


def add_parser(commands: Any) -> None:  # noqa: ANN401 - argparse keeps its subparsers' type private
    """Add the subcommand."""
    command = commands.add_parser(
        "classify",
        help="classify images",
        description="Classify images. An image that cannot be read is reported on stderr, the others are classified, "
        "and the exit code is 1.",
        example="edge-run classify bundle photos/",
    )
    command.add_argument("bundle", metavar="BUNDLE", help="folder that edge-export wrote")
    command.add_argument(
        "paths",
        metavar="PATH",
        nargs="+",
        help="image, folder (searched with its subfolders), 'quoted/**/*.jpg', or - (paths on stdin)",
    )
    command.add_argument("--json", action="store_true", help="print one JSON object a line, with timings in _ms")
    command.add_argument(
        "--min-score", type=fraction, metavar="X", help="below this score: unknown (default: the spec's thresholds)"
    )
    command.add_argument("--top-k", type=positive_int, metavar="K", default=3, help="classes to print (default: 3)")
    add_model_options(command).add_argument(
        "--workers",
        type=positive_int,
        metavar="N",
        help="images classified in parallel (default: one for each core when there are many images)",
    )
    set_action(command, ClassifyOptions, classify)


def classify(options: ClassifyOptions) -> int:
    """Classify the images and print one line for each."""
    from edge_runtime.classify.classifier import Classifier
    from edge_runtime.classify.many import classify_many, expand_arguments
    from edge_runtime.model.bundle import Bundle

    check_paths(options.paths, options.bundle)
    bundle = Bundle.open(options.bundle)
    model = options.model

    def open_classifier(in_parallel: bool) -> Classifier:
        threads = model.threads or (1 if in_parallel else None)
        return Classifier.open(bundle, artifact=model.artifact, backend=model.backend, threads=threads)

    def classify_one(classifier: Classifier, path: str) -> Prediction:
        return classifier.classify(path, top_k=options.top_k, min_score=options.min_score)

    failures = 0
    progress = _progress(options.paths)
    for outcome in classify_many(expand_arguments(options.paths), open_classifier, classify_one, options.workers):
        failures += outcome.problem is not None
        _print(outcome, as_json=options.json)
        if progress:
            progress.step()
    if progress:
        progress.close()
    return FAILURE if failures else SUCCESS


def _progress(paths: list[str]) -> Progress | None:
    """Return a progress bar if stderr is a terminal and stdout is not, so that the bar and results do not mix.

    Paths on standard input cannot be counted in advance.
    """
    if not sys.stderr.isatty() or sys.stdout.isatty():
        return None
    from edge_runtime.classify.many import expand_arguments
    from edge_runtime.command_line.progress import Progress

    countable = "-" not in paths
    return Progress(sys.stderr, lambda: sum(1 for _ in expand_arguments(paths)) if countable else 0)


def _print(outcome: Outcome, *, as_json: bool) -> None:
    path, prediction, problem = outcome
    if problem:
        _print_failure(path, problem, as_json=as_json)
    elif prediction:
        print(json.dumps({"path": path, **prediction.to_json()}) if as_json else _line(path, prediction))


def _print_failure(path: str, problem: SourceError, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"path": path, "error": str(problem)}))
    sys.stdout.flush()  # keeps the lines of both streams in order
    print(f"edge-run: {one_line(problem)}", file=sys.stderr)


def _line(path: str, prediction: Prediction) -> str:
    """Return `cat.jpg  cat 0.98  (dog 0.02)`; for an unknown, all top classes are in the parentheses."""
    shown = path if path.isprintable() else ascii(path)
    rest = [item for item in prediction.top if item.label != prediction.label]
    others = ", ".join(f"{item.label} {item.score:.2f}" for item in rest)
    from edge_runtime.classify.decision import decision_text

    decided = decision_text(prediction.label, prediction.score, prediction.top)
    return f"{shown}  {decided}" + (f"  ({others})" if others else "")
