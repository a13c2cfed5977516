"""Run a command: parse its arguments into typed options, and turn expected errors into one line and an exit code."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import re
import sys
import warnings
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

from edge_runtime.errors import DISK_FULL, EdgeError, one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SUCCESS, FAILURE, USAGE, INTERRUPTED = 0, 1, 2, 130

OPTION = re.compile(r"--[a-z][a-z0-9-]*")
NEGATIVE_VALUE = re.compile(r"-[.\d]")

Options = TypeVar("Options")


class UsageError(Exception):
    """The options were parsed but do not fit together; the command prints its usage and exits with code 2."""


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
    try:
        args = parser.parse_args(_join_negative_values(sys.argv[1:] if argv is None else argv))
    except SystemExit as stop:  # argparse has already printed the reason
        return int(stop.code or SUCCESS)
    try:
        return _run_action(args)
    except EdgeError as problem:
        print(f"{parser.prog}: {one_line(problem)}", file=sys.stderr)
        return FAILURE
    except BrokenPipeError:  # the reader, such as `head`, has closed the pipe
        _discard_stdout()
        return SUCCESS
    except OSError as problem:
        if problem.errno not in DISK_FULL:
            raise
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


def _run_action(args: argparse.Namespace) -> int:
    """Build the options and run the action that `set_action` set."""
    values = vars(args)
    values["_complete"](args)
    try:
        code: int = values["_action"](options_from(values["_options"], args))
    except UsageError as problem:
        with contextlib.suppress(SystemExit):
            values["_parser"].error(str(problem))
        return USAGE
    sys.stdout.flush()
    return code


def add_version(parser: argparse.ArgumentParser) -> None:
    """Add `--version`. The version is looked up only when it is asked for, because the lookup takes 20 ms."""
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")


def _discard_stdout() -> None:
    """Redirect standard output to /dev/null, so that flushing the buffer at exit does not fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:  # noqa: ANN401 - argparse's own signature
        from importlib.metadata import version

        print(f"{parser.prog} {version('edgewise')}")
        parser.exit()
