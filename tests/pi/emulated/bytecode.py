"""Compile Python files to bytecode, as pip and Debian's installer do; unpacking a package does not."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from emulated.commands import CommandError, run

if TYPE_CHECKING:
    from pathlib import Path


def compile_all(folder: Path, python: str) -> None:
    """Compile the Python files of a folder if this host has the Python version that will run them.

    Otherwise the device compiles them at the first import, which takes several times as long.
    """
    if python != f"{sys.version_info.major}.{sys.version_info.minor}":
        return
    with suppress(CommandError):  # some packages contain templates and tests of syntax errors with the extension .py
        run(sys.executable, "-m", "compileall", "-q", "-j", "2", folder)
