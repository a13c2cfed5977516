"""Start confined processes."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from export.errors import ExportError
from export.isolation.launch import UNPROTECTED

if TYPE_CHECKING:
    from pathlib import Path

# Ends a process that would never end by itself; the longest conversions and measurements take some minutes.
TIMEOUT_S = 3600.0


def run_confined(
    module: str, *arguments: str, folder: Path, what: str, timeout_s: float = TIMEOUT_S
) -> subprocess.CompletedProcess[str]:
    """Run a module in a process that can write only in one folder and has no network, and wait for its end.

    Args:
        module: the module, which reads its arguments from `sys.argv[1:]`.
        arguments: its arguments.
        folder: the folder in which it may write.
        what: what it does, for the message, such as "reading model.h5".
        timeout_s: it is ended after this time, in seconds.

    Returns:
        Its exit code and output.

    Raises:
        ExportError: it did not end in time.

    """
    command = [sys.executable, "-m", "export.isolation.launch", str(folder), module, *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, errors="replace", check=False, timeout=timeout_s)
    except subprocess.TimeoutExpired:
        raise ExportError(f"{what}: did not end within {timeout_s:g} s") from None


def unprotected(folder: Path) -> tuple[str, ...]:
    """Return the protections that the kernel did not provide for the process of this folder."""
    return tuple(json.loads((folder / UNPROTECTED).read_text(encoding="utf-8")))
