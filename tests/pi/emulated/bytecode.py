"""Bytecode, which pip and Debian's installer write and unpacking does not."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from emulated.commands import CommandError, run

if TYPE_CHECKING:
    from pathlib import Path


def compile_all(folder: Path, python: str) -> None:
    """Compile a folder's Python files if this host's Python is of the version that will run them.

    Otherwise devices do it themselves, several times as slowly, when they first import them.
    """
    if python != f"{sys.version_info.major}.{sys.version_info.minor}":
        return
    with suppress(CommandError):  # some packages hold templates and tests of syntax errors, which end in .py
        run(sys.executable, "-m", "compileall", "-q", "-j", "2", folder)
