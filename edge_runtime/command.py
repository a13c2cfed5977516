"""What the three commands share: exit codes and one-line errors."""

from __future__ import annotations

import argparse
import errno
import io
import math
import os
import sys
import warnings
from typing import TYPE_CHECKING, Any

from edge_runtime.errors import EdgeError

if TYPE_CHECKING:
    from collections.abc import Sequence

SUCCESS, FAILURE, USAGE, INTERRUPTED = 0, 1, 2, 130
DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
MOST = 10_000  # of classes, epochs, threads: a number above it is a slip, and some libraries crash on it


def run_command(parser: argparse.ArgumentParser, argv: Sequence[str] | None) -> int:
    """Parse `argv` and call the chosen subcommand's `run(args) -> int`.

    Returns:
        0 success, 1 an expected failure (told in one line on stderr), 2 usage, 130 interrupted.

    """
    if isinstance(sys.stdout, io.TextIOWrapper):  # a file name may hold what the terminal cannot show
        sys.stdout.reconfigure(errors="backslashreplace")
    if not sys.warnoptions:  # Pillow's remarks on odd files are no lines of ours; what matters is raised
        warnings.filterwarnings("ignore", module=r"PIL\.")
    try:
        args = parser.parse_args(argv)
    except SystemExit as stop:  # argparse has already printed why
        return int(stop.code or SUCCESS)
    try:
        code: int = args.run(args)
        sys.stdout.flush()
    except EdgeError as problem:
        print(f"{parser.prog}: {one_line(problem)}", file=sys.stderr)
        return FAILURE
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        _write_no_more()
        return SUCCESS
    except OSError as problem:
        if problem.errno not in DISK_FULL:
            raise
        _write_no_more()
        about = f"{problem.filename}: " if problem.filename else ""
        print(f"{parser.prog}: {about}{problem.strerror}", file=sys.stderr)
        return FAILURE
    except KeyboardInterrupt:
        print(f"{parser.prog}: interrupted", file=sys.stderr)
        return INTERRUPTED
    return code


def _write_no_more() -> None:
    """Let what is still buffered for standard output go nowhere, or the end of the process would try once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def one_line(problem: EdgeError) -> str:
    """Give an error's message in one line, whatever a file's name or a library's message brought into it."""
    return " ".join(str(problem).split())


def add_version(parser: argparse.ArgumentParser) -> None:
    """Add `--version`, which looks the version up only when it is asked for: that costs 20 ms."""
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")


def positive_int(text: str) -> int:
    """Parse a whole number from 1 to MOST, for argparse."""
    value = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= value <= MOST:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 to {MOST}, not {text!r}")
    return value


def fraction(text: str) -> float:
    """Parse a number in 0..1, for argparse."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"must be a number in 0..1, not {text!r}")
    return value


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:  # noqa: ANN401 - argparse's own signature
        from importlib.metadata import version

        print(f"{parser.prog} {version('edgewise')}")
        parser.exit()
