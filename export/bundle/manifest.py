"""Make the manifest of a bundle."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from edge_runtime.drift.baseline import BASELINE_NAME
from edge_runtime.model.manifest import MANIFEST_VERSION
from edge_runtime.model.training_digests import TRAINING_DIGESTS
from edge_runtime.storage.digest import sha256_of
from export.bundle.default_artifact import choose_default

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edge_runtime.model.spec import ModelSpec
    from export.proof.measure import Measured

LISTED = ("labels.txt", TRAINING_DIGESTS, BASELINE_NAME)  # the last two are optional
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
    """Return the manifest of the bundle in `folder` as a JSON object.

    It contains no times, so that equal runs and tools give equal manifests.

    Args:
        spec: the spec of the artifacts.
        measured: the artifacts that passed all checks.
        folder: the bundle in preparation, with its artifacts, labels.txt and golden images.

    """
    golden = sorted((folder / "golden").iterdir())
    others = [folder / name for name in LISTED if (folder / name).exists()]
    return {
        "version": MANIFEST_VERSION,
        "spec": spec.to_json(),
        "default": choose_default(measured).name,
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
        "files": [file_entry(path, folder) for path in (*others, *golden)],
        "versions": {"python": platform.python_version(), **tool_versions()},
    }


def tool_versions() -> dict[str, str]:
    """Return the installed version of each tool that affects a bundle, by distribution name."""
    return {name: installed for name in TOOLS if (installed := _version(name))}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def file_entry(path: Path, folder: Path) -> dict[str, Any]:
    """Return a file's entry in the manifest: its path in the bundle, its size and its SHA-256 digest."""
    return {
        "path": path.relative_to(folder).as_posix(),
        "size_bytes": path.stat().st_size,
        "sha256": sha256_of(path),
    }
