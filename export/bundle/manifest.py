"""The manifest of a bundle in preparation."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from edge_runtime.model.bundle import MANIFEST_VERSION
from edge_runtime.storage.digest import sha256_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edge_runtime.model.spec import ModelSpec
    from export.proof.measure import Measured

# The order in which the default artifact is chosen: the smallest and fastest with Arm's kernels first.
DEFAULT_ORDER = (
    "int8.tflite",
    "float16.tflite",
    "dynamic.tflite",
    "float32.tflite",
    "int16x8.tflite",
    "int8.onnx",
    "float16.onnx",
    "float32.onnx",
)
# Another artifact becomes the default only if it is better by this factor on this machine: latencies are noisy, and two
# exports of one run must choose the same.
CLEARLY = 0.5
TELLING_LATENCY_MS = 1.0  # below it, a latency is mostly the cost of the call itself
TOOLS = (
    "edgewise",
    "tensorflow",
    "keras",
    "ai-edge-litert",
    "tflite-runtime",
    "tf2onnx",
    "onnx",
    "onnxruntime",
    "numpy",
    "pillow",
)


def manifest(spec: ModelSpec, measured: Sequence[Measured], folder: Path) -> dict[str, Any]:
    """Describe the bundle in `folder`; equal runs and tools give equal manifests."""
    others = sorted(path for path in (folder / "golden").iterdir())
    return {
        "version": MANIFEST_VERSION,
        "spec": spec.to_json(),
        "default": default_artifact(measured),
        "artifacts": [
            {
                "name": item.candidate.name,
                "precision": item.candidate.precision,
                "format": item.candidate.format,
                "file": file_entry(item.candidate.path, folder),
                "parity": item.parity.to_json(),
            }
            for item in measured
        ],
        "files": [file_entry(path, folder) for path in (folder / "labels.txt", *others)],
        "versions": {"python": platform.python_version(), **tool_versions()},
    }


def default_artifact(measured: Sequence[Measured]) -> str:
    """Choose the default artifact.

    By DEFAULT_ORDER, or one whose size times latency is less than half of that one's.
    """
    costs = {item.candidate.name: item.size_bytes * item.latency_ms for item in measured}
    usual = next(name for name in DEFAULT_ORDER if name in costs)
    if max(item.latency_ms for item in measured) < TELLING_LATENCY_MS:
        return usual
    best = min(costs, key=lambda name: costs[name])
    return best if costs[best] < CLEARLY * costs[usual] else usual


def tool_versions() -> dict[str, str]:
    """Return the installed version of each tool that affects a bundle, by distribution name."""
    return {name: found for name in TOOLS if (found := _version(name))}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def file_entry(path: Path, folder: Path) -> dict[str, Any]:
    """Describe a file of a bundle as in its manifest: path, size, digest."""
    return {
        "path": path.relative_to(folder).as_posix(),
        "size_bytes": path.stat().st_size,
        "sha256": sha256_of(path),
    }
