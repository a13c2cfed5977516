"""Run a command: parse its arguments into typed options, and turn expected errors into one line and an exit code."""

from __future__ import annotations

import errno
import io
import os
import re
import sys
import warnings
from typing import TYPE_CHECKING, TypeVar, get_type_hints

from edge_runtime.command_line.arguments import check_arguments
from edge_runtime.command_line.parser import USAGE, UsageError, usage_error
from edge_runtime.errors import DISK_FULL, EdgeError, one_line

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

__all__ = ["FAILURE", "INTERRUPTED", "SUCCESS", "USAGE", "UsageError", "options_from", "run_command", "set_action"]

SUCCESS, FAILURE, INTERRUPTED = 0, 1, 130

OPTION = re.compile(r"--[a-z][a-z0-9-]*")
NEGATIVE_VALUE = re.compile(r"-[.\d]")

Options = TypeVar("Options")


def set_action(
    parser: argparse.ArgumentParser,
    options: type[Options],
    action: Callable[[Options], int],
    *,
    complete: Callable[[argparse.Namespace], None] = lambda _: None,
) -> None:
    """Set what a subcommand runs.

    Args:
        parser: the subcommand's parser.
        options: a dataclass with one field for each option, as `options_from` reads it.
        action: called with an instance of `options`; returns the exit code.
        complete: called with the parsed arguments first; sets the defaults that depend on other arguments.

    """
    parser.set_defaults(_parser=parser, _options=options, _action=action, _complete=complete)


def options_from(options: type[Options], args: argparse.Namespace) -> Options:
    """Build a command's options dataclass from parsed arguments.

    A field whose type is itself a dataclass is a group of options; its fields are read from the same arguments.
    """
    values = {
        name: options_from(kind, args) if hasattr(kind, "__dataclass_fields__") else getattr(args, name)
        for name, kind in get_type_hints(options).items()
    }
    return options(**values)


def run_command(parser: argparse.ArgumentParser, argv: Sequence[str] | None) -> int:
    """Parse `argv` and run the chosen subcommand.

    Args:
        parser: its subcommands were registered with `set_action`.
        argv: the arguments; None takes the process's.

    Returns:
        0 success, 1 an expected failure (one line on stderr), 2 usage error, 130 interrupted.

    """
    if isinstance(sys.stdout, io.TextIOWrapper):  # a file name may contain characters that the terminal cannot show
        sys.stdout.reconfigure(errors="backslashreplace")
    if not sys.warnoptions:  # hide Pillow's warnings about unusual files; what matters is raised as an error
        warnings.filterwarnings("ignore", module=r"PIL\.")
    words = _join_negative_values(sys.argv[1:] if argv is None else argv)
    try:
        args = _parse(parser, words)
    except SystemExit as stop:  # the reason has already been printed
        return int(stop.code or SUCCESS)
    try:
        return _run_action(args, words)
    except EdgeError as problem:
        print(f"{parser.prog}: {one_line(problem)}", file=sys.stderr)
        return FAILURE
    except BrokenPipeError:  # the reader, such as `head`, has closed the pipe
        _discard_stdout()
        return SUCCESS
    except OSError as problem:
        if problem.errno not in {*DISK_FULL, errno.ENAMETOOLONG}:
            raise
        if problem.errno in DISK_FULL:
            _discard_stdout()
        about = f"{problem.filename}: " if problem.filename else ""
        print(f"{parser.prog}: {about}{problem.strerror}", file=sys.stderr)
        return FAILURE
    except KeyboardInterrupt:
        print(f"{parser.prog}: interrupted", file=sys.stderr)
        return INTERRUPTED


def _join_negative_values(argv: Sequence[str]) -> list[str]:
    """Join an option and a value that begins with a minus sign: `--input-range -1..1` becomes `--input-range=-1..1`.

    argparse takes such a value for another option, unless it is a number.
    """
    words: list[str] = []
    for word in argv:
        if NEGATIVE_VALUE.match(word) and words and OPTION.fullmatch(words[-1]):
            words[-1] = f"{words[-1]}={word}"
        else:
            words.append(word)
    return words


def _parse(parser: argparse.ArgumentParser, words: Sequence[str]) -> argparse.Namespace:
    """Parse the words. Raise SystemExit after a usage error, help or the version was printed."""
    commands = next((action.choices for action in parser._actions if isinstance(action.choices, dict)), None)  # noqa: SLF001
    if commands is not None and (not words or words[0] not in commands):
        from edge_runtime.command_line.suggestions import check_command

        try:
            check_command(parser.prog, words, list(commands))
        except UsageError as problem:
            parser.exit(USAGE, usage_error(parser, str(problem), problem.hint))
    return parser.parse_args(words)


def _run_action(args: argparse.Namespace, words: Sequence[str]) -> int:
    """Check the arguments, build the options and run the action that `set_action` set."""
    values = vars(args)
    parser: argparse.ArgumentParser = values["_parser"]
    try:
        check_arguments(parser, args, words)
        values["_complete"](args)
        code: int = values["_action"](options_from(values["_options"], args))
    except UsageError as problem:
        sys.stderr.write(usage_error(parser, str(problem), problem.hint))
        return USAGE
    sys.stdout.flush()
    return code


def _discard_stdout() -> None:
    """Redirect standard output to /dev/null, so that flushing the buffer at exit does not fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
