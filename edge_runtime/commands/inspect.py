"""edge-run inspect: show what a bundle contains and check its digests."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from edge_runtime.command_line.runner import SUCCESS, set_action
from edge_runtime.errors import BundleError


@dataclass(frozen=True)
class InspectOptions:
    """The options of `edge-run inspect`, as its help describes them."""

    bundle: str
    json: bool
    time: bool


def add_parser(commands: Any) -> None:  # noqa: ANN401 - argparse keeps its subparsers' type private
    """Add the subcommand."""
    command = commands.add_parser(
        "inspect",
        help="show what a bundle contains",
        description="Show what a bundle contains and check its digests.",
        example="edge-run inspect bundle",
    )
    command.add_argument("bundle", metavar="BUNDLE", help="folder that edge-export wrote")
    command.add_argument("--json", action="store_true", help="print one JSON object")
    command.add_argument("--time", action="store_true", help="also run each artifact here and print its time in ms")
    set_action(command, InspectOptions, inspect)


def inspect(options: InspectOptions) -> int:
    """Print a bundle's description. Raise BundleError if a file is damaged."""
    from edge_runtime.classify.inspection import describe, render
    from edge_runtime.model.bundle import Bundle

    description = describe(Bundle.open(options.bundle), timed=options.time)
    print(json.dumps(description) if options.json else render(description))
    if description["damaged"]:
        raise BundleError(description["damaged"][0])
    return SUCCESS
