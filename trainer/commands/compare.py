"""edge-train compare: is a new RUN better than an old one?"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_runtime.command_line.runner import FAILURE, SUCCESS, set_action
from trainer.tensorflow_setup import require_modules

if TYPE_CHECKING:
    from trainer.evaluation.paired import Paired
    from trainer.runs.comparison import Comparison

DIFFERENCES_SHOWN = 10


@dataclass(frozen=True)
class CompareOptions:
    """The options of `edge-train compare`, as its help describes them."""

    old: Path
    new: Path
    data: list[Path] | None
    html: Path | None
    json: bool


def add_parser(commands: Any) -> None:  # noqa: ANN401 - argparse keeps its subparsers' type private
    """Add the subcommand."""
    parser = commands.add_parser(
        "compare",
        help="compare two RUNs on photographs that neither has learnt from",
        description="Compare two RUNs on the same photographs, without those that either of them used for training or "
        "validation. The exit code is 1 if NEW is worse beyond chance.",
        example="edge-train compare run new-run",
    )
    parser.add_argument("old", type=Path, metavar="OLD", help="a RUN")
    parser.add_argument("new", type=Path, metavar="NEW", help="the RUN that may replace it")
    parser.add_argument(
        "--data",
        type=Path,
        action="append",
        metavar="DIR",
        help="one folder per class, instead of the test photographs of both; give it again for further folders",
    )
    parser.add_argument("--html", type=Path, metavar="REPORT", help="write a page with pictures")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON line")
    set_action(parser, CompareOptions, compare)


def compare(options: CompareOptions) -> int:
    """Compare, print the result, and write the page if asked to; return 1 if the new model is worse."""
    from trainer.runs.comparison import compare_runs

    if options.html:
        require_modules("jinja2")
    found = compare_runs(options.old, options.new, options.data or ())
    if options.html:
        from trainer.images.explore import write_whole
        from trainer.pages.comparison import render

        write_whole(options.html, render(found))
    print(json.dumps(found.to_json()) if options.json else to_text(found))
    return FAILURE if found.paired.verdict == "worse" else SUCCESS


def to_text(found: Comparison) -> str:
    """Return the comparison as lines of text."""
    lines = [*_table(found.paired), *_left_out(found)]
    lines += [
        f"  {one.name}: {one.label}, decided {one.old} by OLD and {one.new} by NEW"
        for one in found.differences[:DIFFERENCES_SHOWN]
    ]
    if len(found.differences) > DIFFERENCES_SHOWN:
        lines.append(f"  and {len(found.differences) - DIFFERENCES_SHOWN} more; --json lists all")
    if found.familiar:
        images = found.paired.images
        lines.append(f"familiar: {found.familiar.old / images:.1%} to OLD, {found.familiar.new / images:.1%} to NEW")
    lines += [f"warning: {sentence}" for sentence in class_warnings(found.paired)]
    return "\n".join([*lines, verdict_sentence(found.paired)])


def verdict_sentence(paired: Paired) -> str:
    """Return the result in one sentence."""
    counts = f"{paired.only_new} photographs are correct only by NEW, {paired.only_old} only by OLD"
    if paired.verdict == "no difference":
        return f"no difference beyond chance: {counts} (McNemar p = {min(paired.p_worse, paired.p_better):.3f})"
    p = paired.p_worse if paired.verdict == "worse" else paired.p_better
    return f"NEW is {paired.verdict} beyond chance: {counts} (McNemar p = {p:.2g})"


def class_warnings(paired: Paired) -> list[str]:
    """Return a sentence for each class in which the new model is worse beyond chance."""
    return [
        f"NEW is worse in class {one.label!r}: {one.new} of {one.images} photographs are correct, {one.old} by OLD"
        for one in paired.worse_classes
    ]


def _table(paired: Paired) -> list[str]:
    width = max(len("class"), *(len(one.label) for one in paired.per_class))
    rows = [f"{'class':{width}}  images     OLD     NEW  only OLD  only NEW"]
    rows += [
        f"{one.label:{width}}  {one.images:6}  {one.old / one.images:6.1%}  {one.new / one.images:6.1%}  "
        f"{one.only_old:8}  {one.only_new:8}"
        for one in (*paired.per_class, _total(paired))
    ]
    return rows


def _total(paired: Paired) -> Any:  # noqa: ANN401 - a ClassPair, which is imported only for types
    return paired.per_class[0]._replace(
        label="all",
        images=paired.images,
        old=paired.old,
        new=paired.new,
        only_old=paired.only_old,
        only_new=paired.only_new,
    )


def _left_out(found: Comparison) -> list[str]:
    reasons = ", ".join(f"{count} {reason}" for reason, count in found.left_out.items())
    return [f"left out: {reasons}"] if reasons else []
