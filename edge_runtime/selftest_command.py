"""The `edge-run selftest` command; importing it costs nothing, the work comes with the command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_runtime.backends import BACKEND_NAMES
from edge_runtime.command import SUCCESS
from edge_runtime.errors import InferenceError

if TYPE_CHECKING:
    import argparse


def add_selftest(commands: Any) -> None:  # noqa: ANN401 - argparse keeps its subparsers' type private
    """Add the command to `edge-run`."""
    command = commands.add_parser(
        "selftest",
        help="check that this machine decides as the export did",
        description="Replay the bundle's golden images; name the first stage that differs from the export, and exit 1.",
        allow_abbrev=False,
    )
    command.add_argument("bundle", metavar="BUNDLE", type=Path, help="folder that edge-export wrote")
    command.add_argument("--json", action="store_true", help="one JSON object")
    command.add_argument("--explain", action="store_true", help="name the classic mistake that the outputs look like")
    command.add_argument("--artifact", metavar="NAME", help="such as int8.tflite (default: the bundle's)")
    command.add_argument("--backend", choices=BACKEND_NAMES, help="default: LiteRT before tflite-runtime for .tflite")
    command.set_defaults(run=_selftest)


def _selftest(args: argparse.Namespace) -> int:
    from edge_runtime.selftest import selftest

    found = selftest(args.bundle, artifact=args.artifact, backend=args.backend, explain=args.explain)
    if args.json:
        print(json.dumps(found.to_json()))
    elif found.difference is None:
        print(f"{args.bundle}: {found.images} golden images through {found.artifact} in {found.backend}: as at export")
    if found.difference:
        explanation = f"; {found.explanation}" if found.explanation else ""
        raise InferenceError(f"{args.bundle}: {found.difference.message}{explanation}")
    return SUCCESS
