"""Environments that a benchmark makes for what it measures, and throws away: a device's, and MediaPipe's."""

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
DEVICE = f"{ROOT}[pi]"  # what a device installs, and nothing else
MEDIAPIPE = "mediapipe>=0.10"
VERSIONS = "import sys; from importlib.metadata import version; print(*map(version, sys.argv[1:]))"


@contextmanager
def environment(requirement: str) -> Iterator[str]:
    """Install what pip makes of a requirement, in an environment of its own; give its python."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        python = str(Path(folder, "bin", "python"))
        subprocess.run([python, "-m", "pip", "install", "--quiet", requirement], check=True, stdout=sys.stderr)
        yield python


def versions(python: str, *names: str) -> dict[str, str]:
    """Give the versions that an environment holds."""
    said = subprocess.run([python, "-c", VERSIONS, *names], check=True, capture_output=True, text=True).stdout
    return dict(zip(names, said.split(), strict=True))
