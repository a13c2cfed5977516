"""The versions of the libraries that decide a result."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

TOOLS = ("edgewise", "tensorflow", "keras", "numpy", "pillow", "scikit-learn", "opencv-python-headless")


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that decide a result."""
    return {"python": platform.python_version(), **{tool: _version(tool) for tool in TOOLS}}


def _version(tool: str) -> str:
    try:
        return version(tool)
    except PackageNotFoundError:  # run from a source tree that is not installed
        return "unknown"
