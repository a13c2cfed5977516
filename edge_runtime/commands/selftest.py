"""edge-run selftest: check that this device computes the same results as the export did."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_runtime.backends.names import BACKEND_NAMES, BackendName
from edge_runtime.command_line.runner import SUCCESS, set_action
from edge_runtime.command_line.steps import report_next
from edge_runtime.errors import InferenceError


@dataclass(frozen=True)
class SelftestOptions:
    """The options of `edge-run selftest`, as its help describes them."""

    bundle: Path
    json: bool
    explain: bool
    artifact: str | None
    backend: BackendName | None


def add_parser(commands: Any) -> None:  # noqa: ANN401 - argparse keeps its subparsers' type private
    """Add the subcommand."""
    command = commands.add_parser(
        "selftest",
        help="check that this device computes the same results as the export",
        description="Replay the bundle's golden images. If a result differs from the export's, name the first stage "
        "that differs and exit with code 1.",
        example="edge-run selftest bundle",
    )
    command.add_argument("bundle", metavar="BUNDLE", type=Path, help="folder that edge-export wrote")
    command.add_argument("--json", action="store_true", help="print one JSON object")
    command.add_argument("--explain", action="store_true", help="name the common mistake that would give these outputs")
    command.add_argument("--artifact", metavar="NAME", help="such as int8.tflite (default: the bundle's)")
    command.add_argument("--backend", choices=BACKEND_NAMES, help="default: LiteRT before tflite-runtime for .tflite")
    set_action(command, SelftestOptions, selftest)


def selftest(options: SelftestOptions) -> int:
    """Replay the golden images and print the result. Raise InferenceError if it differs from the export's."""
    from edge_runtime.selftest.isolated import selftest_in_child

    result = selftest_in_child(
        options.bundle, artifact=options.artifact, backend=options.backend, explain=options.explain
    )
    if options.json:
        print(json.dumps(result.to_json()))
    elif result.difference is None:
        print(
            f"{options.bundle}: OK, {result.images} golden images through {result.artifact} in {result.backend}: "
            "same results as on the workstation"
        )
    if result.difference:
        explanation = f"; {result.explanation}" if result.explanation else ""
        raise InferenceError(f"{options.bundle}: {result.difference.message}{explanation}")
    report_next("edge-run", "", ["edge-run", "bench", options.bundle, "--keep"])
    return SUCCESS
