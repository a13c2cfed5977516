"""The `edge-run` command: a table of subcommands. Only the module of the subcommand that is called is imported."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

from edge_runtime.command_line.parser import CommandParser
from edge_runtime.command_line.runner import run_command

if TYPE_CHECKING:
    from collections.abc import Sequence

# In the order of --help. `edge_runtime.commands.NAME` has an `add_parser` that adds the subcommand.
COMMANDS = (
    "classify",
    "inspect",
    "watch",
    "serve",
    "collect",
    "review",
    "service",
    "update",
    "fleet",
    "doctor",
    "selftest",
    "bench",
    "tune-decision",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run `edge-run` and return its exit code: 0 success, 1 an expected failure, 2 usage error."""
    words = sys.argv[1:] if argv is None else argv
    return run_command(_build_parser(next((word for word in words if not word.startswith("-")), None)), words)


def _build_parser(command: str | None) -> CommandParser:
    """Build the parser of one subcommand, or of all if `command` is none of them: building all of them is slow."""
    parser = CommandParser(
        prog="edge-run",
        description="Run an exported image classifier on a small CPU device.",
        example="edge-run classify bundle photos/",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in COMMANDS:
        if command == name or command not in COMMANDS:
            import_module(f"edge_runtime.commands.{name.replace('-', '_')}").add_parser(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
