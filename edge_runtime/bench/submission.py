"""A measurement that can be published: device, versions and figures, without user name, host name or paths."""

from __future__ import annotations

import datetime as dt
import os
import platform
import sys
from typing import TYPE_CHECKING, Any

from edge_runtime.backends.names import DISTRIBUTIONS
from edge_runtime.errors import BundleError
from edge_runtime.storage.json_files import expect_keys, read_json, write_json
from edge_runtime.system.device_state import governor
from edge_runtime.system.versions import installed_version

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from edge_runtime.model.bundle import Bundle

SUBMISSION_VERSION = 1
LIBRARIES = ("edgewise", "numpy", "pillow", *DISTRIBUTIONS.values())
# Rows with equal values of these keys describe the same measurement, so the later one replaces the earlier one.
IDENTITY = ("device", "versions", "bundle")


def add_row(path: Path, row: Mapping[str, Any]) -> int:
    """Add a row to a file of rows; it replaces an older one of the same device, versions and bundle.

    Returns:
        The number of rows in the file.

    Raises:
        BundleError: the file contains anything but rows, or cannot be written.

    """
    rows = [*filter(lambda old: any(old.get(key) != row[key] for key in IDENTITY), _rows(path)), row]
    try:
        write_json(path, {"version": SUBMISSION_VERSION, "rows": rows})
    except OSError as problem:
        raise BundleError(f"{path}: cannot be written: {problem.strerror}") from None
    return len(rows)


def check_writable(path: Path) -> None:
    """Raise BundleError if `add_row` would fail. Call this before the measurement, which takes minutes."""
    _rows(path)
    if not os.access(path.parent, os.W_OK):
        raise BundleError(f"{path}: cannot be written: the folder does not exist or is not writable")


def make_row(
    bundle: Bundle, before: Mapping[str, Any], after: Mapping[str, Any], results: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return the measurement as one row. Omit error messages, because they may contain a path."""
    return {
        "measured_on": dt.datetime.now(dt.timezone.utc).date().isoformat(),
        "device": description(str(before["processor"])),
        "versions": versions(),
        "bundle": {
            "sha256": bundle.sha256,
            "input": [bundle.spec.height, bundle.spec.width],
            "classes": len(bundle.spec.labels),
            "artifact_bytes": {name: artifact.file.size_bytes for name, artifact in bundle.artifacts.items()},
        },
        "before": health(before),
        "after": health(after),
        "results": [{**result, "error": "failed"} if "error" in result else dict(result) for result in results],
    }


def versions() -> dict[str, str]:
    """Return the versions of Python and of the installed libraries that affect a measurement."""
    found = {name: version for name in LIBRARIES if (version := installed_version(name))}
    return {"python": platform.python_version(), **found}


def _rows(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    data = read_json(path, BundleError)
    expect_keys(data, ("version", "rows"), str(path), BundleError)
    rows: list[dict[str, Any]] = data["rows"]
    valid = data["version"] == SUBMISSION_VERSION and isinstance(rows, list)
    if not valid or not all(isinstance(row, dict) for row in rows):
        raise BundleError(f"{path}: contains no rows of edge-run bench --submit; choose another file")
    return rows


def description(processor: str) -> dict[str, Any]:
    """Return what is to know about this device, of the given processor; it contains no name of a user or host."""
    return {
        "processor": processor,
        "architecture": f"{platform.machine()}, {64 if sys.maxsize > 2**32 else 32}-bit programs",
        "memory_mb": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20,
        "governor": governor(),
        "kernel": platform.release(),
        "c_library": " ".join(platform.libc_ver()),
    }


def health(device: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of `device` that change."""
    return {key: device[key] for key in ("load", "temperature_c", "throttling")}
