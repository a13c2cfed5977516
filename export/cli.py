"""The `edge-export` command: a table of subcommands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_runtime.command_line.parser import CommandParser
from edge_runtime.command_line.runner import run_command
from export.commands import export, latency, release, verify, wrap

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run `edge-export` and return its exit code: 0 success, 1 an expected failure, 2 usage error, 130 interrupted."""
    return run_command(build_parser(), argv)


def build_parser() -> CommandParser:
    """Build the parser of all subcommands."""
    parser = CommandParser(
        prog="edge-export",
        description="Export a trained classifier and prove that the files decide like it.",
        example="edge-export export run --out bundle",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (export, wrap, verify, latency, release):
        command.add_parser(commands)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
