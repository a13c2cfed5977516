"""edge-run tune-decision: choose the rules of the decision over frames on a labelled video."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from edge_runtime.command_line.numbers import positive_float, positive_int
from edge_runtime.command_line.runner import SUCCESS, set_action
from edge_runtime.command_line.steps import report_next, reported_steps
from edge_runtime.commands.options.model import ModelOptions, add_model_options, open_classifier
from edge_runtime.commands.options.stream import add_mount
from edge_runtime.errors import SpecError
from edge_runtime.storage.publish import refuse_existing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_runtime.tuning.search import Tuned

COLUMNS = "label, start_s, end_s"


@dataclass(frozen=True)
class TuneDecisionOptions:
    """The options of `edge-run tune-decision`, as its help describes them."""

    bundle: str
    video: str
    labels: Path
    fps: float | None
    rotate: Literal[0, 90, 180, 270]
    flip: Literal["horizontal", "vertical"] | None
    out: Path | None
    overwrite: bool
    show: int
    json: bool
    model: ModelOptions


def add_parser(commands: Any) -> None:  # noqa: ANN401 - argparse keeps its subparsers' type private
    """Add the subcommand."""
    command = commands.add_parser(
        "tune-decision",
        help="choose k, n and thresholds on a labelled video",
        description="Choose smoothing, k of n and thresholds by how well they find the events of a labelled video.",
        example="edge-run tune-decision bundle video.mp4 --labels events.csv --out rules.json",
    )
    command.add_argument("bundle", metavar="BUNDLE", help="folder that edge-export wrote")
    command.add_argument("video", metavar="VIDEO", help="a video file, or a folder of frames with --fps")
    command.add_argument(
        "--labels",
        required=True,
        type=Path,
        metavar="CSV",
        help=f"CSV of the labelled events, with the columns {COLUMNS}",
    )
    command.add_argument("--fps", type=positive_float, metavar="F", help="frames of each second to use")
    add_mount(command)
    command.add_argument("--out", type=Path, metavar="FILE", help="write the best rules as JSON, for watch --decision")
    command.add_argument("--overwrite", action="store_true", help="replace the file")
    command.add_argument("--show", type=positive_int, default=5, metavar="N", help="how many rules to show (5)")
    command.add_argument("--json", action="store_true", help="print one JSON object for each of them")
    add_model_options(command)
    set_action(command, TuneDecisionOptions, tune_decision)


def tune_decision(options: TuneDecisionOptions) -> int:
    """Rank the rules by how well they find the labelled events, print the best, and write them if asked to."""
    from edge_runtime.image.upright import Mount
    from edge_runtime.live.rules_file import write_rules
    from edge_runtime.live.sources.opening import open_source
    from edge_runtime.tuning.labelled_video import read_labels, read_scores
    from edge_runtime.tuning.search import tune

    if options.out:
        refuse_existing(options.out, overwrite=options.overwrite, error=SpecError)
    classifier = open_classifier(options.bundle, options.model)
    labels = classifier.spec.labels
    labelled = read_labels(options.labels, labels)
    source, mount = open_source(options.video, fps=options.fps), Mount(options.rotate, options.flip or "")
    with reported_steps() as steps:
        steps(f"classifying the frames of {options.video}")
        times, probabilities = read_scores(source, classifier, options.fps, mount)
        steps(f"trying rules on {len(times)} frames")
        ranked = tune(times, probabilities, labelled, classifier.spec.min_familiarity)[: options.show]
    if options.json:
        for tuned in ranked:
            print(json.dumps(_facts(tuned, labels)))
    else:
        print(_table(ranked, labels))
    if options.out:
        write_rules(options.out, ranked[0].rules, classifier.spec)
        watch = ["edge-run", "watch", options.bundle, "--source", "0", "--decision", options.out]
        report_next("edge-run", f"{options.out}: the rules", watch)
    return SUCCESS


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
