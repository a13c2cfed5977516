"""What the three commands share: exit codes, one-line errors, and outputs that appear whole or not at all."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.errors import EdgeError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

SUCCESS, FAILURE, USAGE, INTERRUPTED = 0, 1, 2, 130


def run_command(parser: argparse.ArgumentParser, argv: Sequence[str] | None) -> int:
    """Parse `argv` and call the chosen subcommand's `run(args) -> int`.

    Returns:
        0 success, 1 an expected failure (told in one line on stderr), 2 usage, 130 interrupted.

    """
    try:
        args = parser.parse_args(argv)
    except SystemExit as stop:  # argparse has already printed why
        return int(stop.code or SUCCESS)
    try:
        code: int = args.run(args)
        sys.stdout.flush()
    except EdgeError as problem:
        print(f"{parser.prog}: {problem}", file=sys.stderr)
        return FAILURE
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return SUCCESS
    except KeyboardInterrupt:
        print(f"{parser.prog}: interrupted", file=sys.stderr)
        return INTERRUPTED
    return code


def refuse_existing(path: Path, *, overwrite: bool, error: type[EdgeError]) -> None:
    """Raise `error` when `path` exists and may not be replaced."""
    if path.exists() and not overwrite:
        raise error(f"{path}: exists already; choose another place or pass --overwrite")


@contextmanager
def published_folder(path: Path, *, overwrite: bool, error: type[EdgeError]) -> Iterator[Path]:
    """Yield an empty folder beside `path` that takes its place when the block ends well, and vanishes when not.

    An older folder stays whole until the new one is complete. Raises `error` where `path` exists and may not be
    replaced, or its parent cannot be written.
    """
    refuse_existing(path, overwrite=overwrite, error=error)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent))
    except OSError as problem:
        raise error(f"{path}: cannot be written: {problem.strerror}") from None
    try:
        staging.chmod(0o755)  # mkdtemp's 0700 is for secrets
        yield staging
        _replace(staging, path)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _replace(staging: Path, path: Path) -> None:
    if not path.exists():
        staging.rename(path)
        return
    old = staging.with_suffix(".old")
    path.rename(old)  # a folder that is not empty cannot be replaced in one step
    try:
        staging.rename(path)
    except OSError:
        old.rename(path)
        raise
    shutil.rmtree(old, ignore_errors=True)
