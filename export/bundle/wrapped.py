"""Write the bundle of a file that is already exported: golden images, labels and the manifest of one artifact."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edge_runtime.model.manifest import MANIFEST_NAME, MANIFEST_VERSION
from edge_runtime.selftest.golden import output_tolerance
from edge_runtime.storage.json_files import write_json, write_text
from export.bundle.golden import write_golden_of
from export.bundle.manifest import file_entry, tool_versions
from export.errors import ExportError
from export.runtimes.process import DeviceRun
from export.sources.calibration import balanced

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from edge_runtime.model.spec import ModelSpec

GOLDEN_IMAGES, MIN_GOLDEN_IMAGES = 12, 4


def write_wrapped(
    path: Path,
    spec: ModelSpec,
    images: Sequence[Path],
    truth: NDArray[np.int64] | None,
    runs: Sequence[DeviceRun],
    model: Path,
) -> None:
    """Write everything of a bundle except for its model file.

    Args:
        path: the model file in the bundle in preparation, named after its precision and format.
        spec: its spec.
        images: the images on which it was run.
        truth: their class indices, or None.
        runs: its results on them in each installed runtime.
        model: the file that the user named, for errors.

    Raises:
        ExportError: the runtimes compute different results.

    """
    staging, name = path.parent, path.name.removeprefix("model.")
    precision, file_format = name.split(".")
    classes = np.zeros(len(images), np.int64) if truth is None else truth
    chosen = _reproducible(runs, classes, precision, model)
    first = runs[0]
    golden_run = DeviceRun(
        first.probabilities[chosen], first.latency_ms, tuple(first.tensors[index] for index in chosen)
    )
    golden_images = [images[index] for index in chosen]
    write_golden_of(golden_images, spec, {name: golden_run}, golden_run.probabilities, staging)
    for drawn in set((staging / "golden").glob("*-drawn.*")) - set(golden_images):
        drawn.unlink()
    write_text(staging / "labels.txt", "".join(f"{label}\n" for label in spec.labels))
    accuracy = None if truth is None else float(np.mean(first.probabilities.argmax(axis=1) == truth))
    parity = {"images": 0 if truth is None else len(images), "accuracy": accuracy}
    entry = {"name": name, "precision": precision, "format": file_format, "parity": parity}
    write_json(staging / MANIFEST_NAME, _manifest({**entry, "file": file_entry(path, staging)}, spec, staging))


def _manifest(artifact: dict[str, Any], spec: ModelSpec, staging: Path) -> dict[str, Any]:
    golden = sorted((staging / "golden").iterdir())
    return {
        "version": MANIFEST_VERSION,
        "spec": spec.to_json(),
        "default": artifact["name"],
        "artifacts": [artifact],
        "files": [file_entry(item, staging) for item in (staging / "labels.txt", *golden)],
        "versions": tool_versions(),
    }


def _reproducible(
    runs: Sequence[DeviceRun], truth: NDArray[np.int64], precision: str, model: Path
) -> NDArray[np.int64]:
    """Choose golden images with the same results in all runtimes.

    Their probabilities differ by at most half of what a self-test allows, and the top class is the same, also where two
    classes have nearly the same probability.

    Raises:
        ExportError: too few images are, so the runtimes compute different results.

    """
    spread = np.max([np.abs(run.probabilities - runs[0].probabilities).max(axis=1) for run in runs], axis=0)
    top = np.stack([run.probabilities.argmax(axis=1) for run in runs])
    same = np.flatnonzero((spread <= output_tolerance(precision) / 2) & (top == top[0]).all(axis=0))
    if len(same) < min(MIN_GOLDEN_IMAGES, len(truth)):
        raise ExportError(
            f"{model}: the installed runtimes compute different probabilities, by up to {float(spread.max()):.2g} on "
            f"{len(truth)} images; pass more images with --data, or export the model again"
        )
    return same[balanced(truth[same], GOLDEN_IMAGES)]
