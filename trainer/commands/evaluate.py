"""edge-train evaluate: measure a RUN's model again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_runtime.command_line.runner import SUCCESS, set_action
from edge_runtime.command_line.steps import report_next
from trainer.commands.results import print_measured
from trainer.tensorflow_setup import require_modules


@dataclass(frozen=True)
class EvaluateOptions:
    """The options of `edge-train evaluate`, as its help describes them."""

    run: Path
    json: bool
    data: list[Path] | None
    unfamiliar: Path | None
    html: Path | None


def add_parser(commands: Any) -> None:  # noqa: ANN401 - argparse keeps its subparsers' type private
    """Add the subcommand."""
    parser = commands.add_parser(
        "evaluate",
        example="edge-train evaluate run --html evaluation.html",
        help="measure a RUN on its test photographs",
        description="Measure a RUN's model on the test photographs in the RUN, or on another labelled folder.",
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="the folder that edge-train train wrote")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON line")
    parser.add_argument(
        "--data",
        type=Path,
        action="append",
        metavar="DIR",
        help="one folder per class, instead of the test photographs; give it again for further folders",
    )
    parser.add_argument(
        "--unfamiliar",
        type=Path,
        metavar="DIR",
        help="images of none of the classes, on which the familiarity is measured (default: drawn scenes, shuffled "
        "photographs, and those of scikit-image if it is installed)",
    )
    parser.add_argument("--html", type=Path, metavar="REPORT", help="write a page with pictures")
    set_action(parser, EvaluateOptions, evaluate)


def evaluate(options: EvaluateOptions) -> int:
    """Measure, print the result, and write the page if asked to."""
    from trainer.runs.measure import measure_run

    if options.html:
        require_modules("jinja2")
    measured = measure_run(options.run, options.data, options.unfamiliar)
    if options.html:
        from trainer.images.explore import write_whole
        from trainer.pages.evaluation import render

        photographs = ", ".join(map(str, options.data or ())) or "its test photographs"
        write_whole(options.html, render(measured, f"{options.run.name} on {photographs}"))
    print_measured(measured, as_json=options.json)
    made = f"{options.html}: the page" if options.html else ""
    report_next("edge-train", made, ["edge-export", "export", options.run, "--out", "bundle"])
    return SUCCESS
