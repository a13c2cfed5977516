"""edge-export verify: check a bundle with the golden images that it contains."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edge_runtime.command_line.runner import SUCCESS, set_action
from edge_runtime.command_line.steps import report_next, reported_steps
from export.commands.table import print_table


@dataclass(frozen=True)
class VerifyOptions:
    """The options of `edge-export verify`, as its help describes them."""

    bundle: Path
    json: bool


def add_parser(commands: Any) -> None:  # noqa: ANN401 - argparse keeps its subparsers' type private
    """Add the subcommand."""
    parser = commands.add_parser(
        "verify", help="check a bundle with the golden images that it contains", example="edge-export verify bundle"
    )
    parser.add_argument("bundle", metavar="BUNDLE", type=Path)
    parser.add_argument("--json", action="store_true", help="print one JSON line for each artifact and runtime")
    set_action(parser, VerifyOptions, verify)


def verify(options: VerifyOptions) -> int:
    """Replay the golden images in every installed runtime and print the results."""
    from export.proof.verify import verify_bundle

    with reported_steps() as steps:
        steps(f"replaying the golden images of {options.bundle} in every installed runtime")
        verified = verify_bundle(options.bundle, steps)
    if options.json:
        for item in verified:
            print(json.dumps(asdict(item)))
        return SUCCESS
    rows = [("artifact", "runtime", "images", "largest difference", "agreement")]
    rows += [
        (item.artifact, item.backend, str(item.images), f"{item.drift:.2g}", f"{item.reference_agreement:.1%}")
        for item in verified
    ]
    print_table(rows)
    report_next("edge-export", f"{options.bundle}: decides as it was exported", ["edge-run", "bench", options.bundle])
    return SUCCESS
