"""The commands' parser: help that begins with an example, and usage errors in two lines."""

from __future__ import annotations

import argparse
import re
import sys
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Sequence

USAGE = 2  # the exit code of a usage error
REQUIRED = re.compile(r"the following arguments are required: (.*)")
LONG_OPTION = re.compile(r"--[A-Za-z][\w-]*")


class UsageError(Exception):
    """Arguments that do not fit together, or name something of another kind than the command needs.

    Attributes:
        hint: the command to use instead; an empty one shows the command's example.

    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class CommandParser(argparse.ArgumentParser):
    """Parse a command's arguments. Its subcommands are parsers of this class, too.

    Attributes:
        example: a complete command, shown first in the help and after a usage error.

    """

    def __init__(self, *, example: str = "", **settings: Any) -> None:  # noqa: ANN401 - passed on to argparse
        super().__init__(**{"allow_abbrev": False, **settings})
        self.example = example
        self._optionals.title = "basic options"
        self._words: list[str] = []
        self.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")

    def format_help(self) -> str:
        """Return the help: an example, the usage in one line, the basic options, then the advanced ones."""
        formatter = self._get_formatter()
        formatter.add_text(self.description)
        for group in self._action_groups:
            plain = group in {self._positionals, self._optionals, self._subparsers}
            formatter.start_section(group.title if plain else f"advanced options, {group.title}")
            formatter.add_text(group.description)
            formatter.add_arguments(group._group_actions)  # noqa: SLF001 - as argparse's own format_help does
            formatter.end_section()
        return f"example: {self.shown_example()}\n\n{self.format_usage()}\n{formatter.format_help()}"

    def format_usage(self) -> str:
        """Return the usage with only the arguments that are necessary."""
        formatter = self._get_formatter()
        needed = [action for action in self._actions if action.required or not action.option_strings]
        formatter.add_usage(None, needed, [])
        return f"{formatter.format_help().rstrip()} [options]\n"

    def shown_example(self) -> str:
        """Return the example; without one, the arguments that are necessary."""
        return self.example or " ".join(self.format_usage().removeprefix("usage: ").split())

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:  # noqa: ANN401 - argparse's own signature
        """Parse all arguments. An unknown one is an error of the subcommand."""
        parsed, extra = self.parse_known_args(args, namespace)
        if extra:
            owner = getattr(parsed, "_parser", self)
            owner.refuse(extra)
        return parsed

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:  # noqa: ANN401 - as argparse's
        """Parse the known arguments, and keep the words for the text of an error."""
        self._words = list(sys.argv[1:] if args is None else args)
        return super().parse_known_args(args, namespace)

    def refuse(self, extra: Sequence[str]) -> NoReturn:
        """Print an error about arguments that the command does not have, and exit with code 2."""
        unknown = self._unknown_options(extra)
        if not unknown:
            self.fail(f"unexpected argument {extra[0]!r}")
        from edge_runtime.command_line.suggestions import closest

        known = [option for option in self._option_string_actions if option.startswith("--")]
        guess = closest(unknown[0], known)
        self.fail(f"unknown option {unknown[0]}" + (f"; did you mean {guess}?" if guess else ""))

    def error(self, message: str) -> NoReturn:
        """Print an error of argparse in two lines and exit with code 2."""
        missing = REQUIRED.fullmatch(message)
        if missing and (unknown := self._unknown_options(self._words)):
            self.refuse(unknown)  # the reason why something is missing
        if missing:
            message = f"{missing.group(1)} missing"
        self.fail(message.removeprefix("argument "))

    def fail(self, message: str, hint: str = "") -> NoReturn:
        """Print a usage error and exit with code 2."""
        self.exit(USAGE, usage_error(self, message, hint))

    def _unknown_options(self, words: Sequence[str]) -> list[str]:
        options = (word.partition("=")[0] for word in words if word.startswith("-") and word != "-")
        return [word for word in options if word not in self._option_string_actions and not word[1:2].isdigit()]


def usage_error(parser: argparse.ArgumentParser, message: str, hint: str = "") -> str:
    """Return a usage error as two lines: what is wrong, and the command to use instead or an example."""
    example = parser.shown_example() if isinstance(parser, CommandParser) else parser.prog
    advice = f"use: {hint}" if hint else f"for example: {example}"
    return f"{parser.prog}: error: {message}\n  {advice}   (all options: {parser.prog} --help)\n"


class _Version(argparse.Action):
    """Print the version, which is looked up only when it is asked for, because the lookup takes 20 ms."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:  # noqa: ANN401 - argparse's own signature
        from importlib.metadata import version

        print(f"{parser.prog.split()[0]} {version('edgewise')}")
        parser.exit()
