"""Temporary virtual environments for the measured programs: that of a device, and one with MediaPipe."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
DEVICE = f"{ROOT}[pi]"  # the packages that a device has
MEDIAPIPE = "mediapipe>=0.10"
VERSIONS = "import sys; from importlib.metadata import version; print(*map(version, sys.argv[1:]))"


@contextmanager
def environment(requirement: str) -> Iterator[str]:
    """Install a requirement into a new virtual environment and yield the path of its interpreter."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        python = str(Path(folder, "bin", "python"))
        subprocess.run([python, "-m", "pip", "install", "--quiet", requirement], check=True, stdout=sys.stderr)
        yield python


def versions(python: str, *names: str) -> dict[str, str]:
    """Return the versions of packages that are installed in an environment."""
    printed = subprocess.run([python, "-c", VERSIONS, *names], check=True, capture_output=True, text=True).stdout
    return dict(zip(names, printed.split(), strict=True))
