"""The `edge-train` command: a table of subcommands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_runtime.command_line.parser import CommandParser
from edge_runtime.command_line.runner import run_command
from trainer.commands import compare, describe, evaluate, explain, explore, fetch, search, shapes, train

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run `edge-train` and return its exit code: 0 success, 1 an expected failure, 2 usage error, 130 interrupted."""
    return run_command(build_parser(), argv)


def build_parser() -> CommandParser:
    """Build the parser of all subcommands."""
    parser = CommandParser(
        prog="edge-train",
        description="Train an image classifier, and look at its data, results and layers.",
        example="edge-train train photos --out run",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (train, search, explore, evaluate, explain, compare, fetch, describe, shapes):
        command.add_parser(commands)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
