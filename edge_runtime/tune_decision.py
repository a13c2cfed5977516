"""edge-run tune-decision: choose the rules over frames on a video whose events a person has written down."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_runtime.command import SUCCESS, positive_int
from edge_runtime.errors import SpecError
from edge_runtime.publish import refuse_existing
from edge_runtime.watch import add_model_arguments, positive

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from edge_runtime.classifier import Classifier
    from edge_runtime.records import Source
    from edge_runtime.tuning import Interval, Tuned

COLUMNS = ("label", "start_s", "end_s")


def add_tune_decision(commands: Any) -> None:  # noqa: ANN401 - argparse keeps its subparsers' type private
    """Add the command to edge-run's."""
    command = commands.add_parser(
        "tune-decision",
        help="choose k, n and thresholds on a labelled video",
        description="Choose smoothing, k of n and thresholds by the events that they find in a labelled video.",
        allow_abbrev=False,
    )
    command.add_argument("bundle", metavar="BUNDLE", help="folder that edge-export wrote")
    command.add_argument("video", metavar="VIDEO", help="a video file, or a folder of frames with --fps")
    command.add_argument(
        "--labels", required=True, metavar="CSV", help=f"what is to be seen when: columns {', '.join(COLUMNS)}"
    )
    command.add_argument("--fps", type=positive, metavar="F", help="frames of each second to look at")
    command.add_argument("--out", metavar="FILE", help="write the best rules as JSON, for watch --decision")
    command.add_argument("--overwrite", action="store_true", help="replace the file")
    command.add_argument("--show", type=positive_int, default=5, metavar="N", help="how many rules to show (5)")
    command.add_argument("--json", action="store_true", help="one JSON object for each of them")
    add_model_arguments(command)
    command.set_defaults(run=_tune)


def _tune(args: argparse.Namespace) -> int:
    from edge_runtime.classifier import Classifier
    from edge_runtime.decision_file import write_rules
    from edge_runtime.sources import open_source
    from edge_runtime.tuning import tune

    if args.out:
        refuse_existing(Path(args.out), overwrite=args.overwrite, error=SpecError)
    classifier = Classifier.open(args.bundle, artifact=args.artifact, backend=args.backend, threads=args.threads)
    labelled = read_labels(Path(args.labels), classifier.spec.labels)
    times, probabilities = _scores(open_source(args.video, fps=args.fps), classifier, args.fps)
    ranked = tune(times, probabilities, labelled)[: args.show]
    if args.json:
        for tuned in ranked:
            print(json.dumps(_facts(tuned, classifier.spec.labels)))
    else:
        print(_table(ranked, classifier.spec.labels))
    if args.out:
        write_rules(Path(args.out), ranked[0].rules, classifier.spec)
        print(f"edge-run: wrote {args.out}; watch takes it with --decision {args.out}", file=sys.stderr)
    return SUCCESS


def read_labels(path: Path, labels: Sequence[str]) -> list[Interval]:
    """Read the labelled events, in the order of their beginnings. Raises SpecError, naming file and line."""
    import csv  # these would cost every start of edge-run some milliseconds

    from edge_runtime.tuning import Interval

    found = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            rows = csv.DictReader(stream)
            missing = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
            if missing:
                raise SpecError(f"{path}: column {missing[0]!r} is missing; the columns are {', '.join(COLUMNS)}")
            for row in rows:
                where = f"{path}: line {rows.line_num}"
                if row["label"] not in labels:
                    raise SpecError(f"{where}: {row['label']!r} is none of the labels {', '.join(labels)}")
                start_s, end_s = _seconds(row["start_s"], where), _seconds(row["end_s"], where)
                if end_s <= start_s:
                    raise SpecError(f"{where}: ends at {end_s:g} s, before it began")
                found.append(Interval(labels.index(row["label"]), start_s, end_s))
    except (OSError, ValueError) as problem:
        raise SpecError(f"{path}: cannot be read: {getattr(problem, 'strerror', None) or problem}") from None
    if not found:
        raise SpecError(f"{path}: holds no event; without one there is nothing to tune by")
    return sorted(found, key=lambda interval: interval.start_s)


def _seconds(text: str | None, where: str) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise SpecError(f"{where}: {text!r} is no time in seconds")
    return value


def _scores(source: Source, classifier: Classifier, fps: float | None) -> tuple[list[float], list[NDArray[np.float32]]]:
    """Run the model on every frame; a folder's frames follow one another at `fps`, or ten a second."""
    from edge_runtime.preprocess import preprocess
    from edge_runtime.sources.images import ImageFiles

    times: list[float] = []
    probabilities: list[NDArray[np.float32]] = []
    first = None
    with source:
        for frame in source:
            first = frame.captured_at if first is None else first
            still = isinstance(source, ImageFiles)
            times.append(frame.number / (fps or 10.0) if still else frame.captured_at - first)
            probabilities.append(classifier.backend.run(preprocess(frame.image, classifier.spec)[None])[0])
    if not times:
        raise SpecError(f"{source.name}: holds no frame")
    return times, probabilities


def _facts(tuned: Tuned, labels: Sequence[str]) -> dict[str, Any]:
    rules, match = tuned
    return {
        "smooth": rules.alpha,
        "k": rules.k,
        "n": rules.n,
        "leave": rules.leave,
        "margin": rules.margin,
        "thresholds": dict(zip(labels, rules.thresholds, strict=True)),
        "precision": round(match.precision, 6),
        "recall": round(match.recall, 6),
        "delay_s": round(match.delay_s, 3),
    }


def _table(ranked: Sequence[Tuned], labels: Sequence[str]) -> str:
    lines = ["precision  recall  delay  smooth  k of n  leave  thresholds"]
    for rules, match in ranked:
        named = [f"{label} {value:g}" for label, value in zip(labels, rules.thresholds, strict=True)]
        thresholds = ", ".join(named) if len(set(rules.thresholds)) > 1 else f"{rules.thresholds[0]:g}"
        lines.append(
            f"{match.precision:9.3f}  {match.recall:6.3f}  {match.delay_s:4.2f}s  {rules.alpha:6g}  "
            f"{f'{rules.k} of {rules.n}':>6}  {rules.leave:5}  {thresholds}"
        )
    return "\n".join(lines)
