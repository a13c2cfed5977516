"""Write golden vectors into a bundle, and replay them from it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np

from edge_runtime.golden import GOLDEN_INDEX, GoldenImage, input_digest
from edge_runtime.jsonio import write_json
from edge_runtime.preprocess import preprocess
from export.device import run_on_device

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from export.artifacts import Candidate
    from export.source_model import SourceModel


def write_golden(source: SourceModel, candidates: Sequence[Candidate], folder: Path) -> None:
    """Copy the run's sample images into `folder`/golden with their digests and every artifact's probabilities.

    Args:
        source: its samples, its reference model.
        candidates: the artifacts, in files already.
        folder: the bundle that is being made.

    """
    (folder / "golden").mkdir()
    pixels = np.stack([preprocess(path, source.spec) for path in source.samples])
    reference = source.probabilities(pixels)
    outputs = {
        candidate.name: run_on_device(candidate.path, source.spec, pixels, candidate.backend).probabilities
        for candidate in candidates
    }
    images = []
    for index, sample in enumerate(source.samples):
        shutil.copyfile(sample, folder / "golden" / sample.name)
        images.append(
            GoldenImage(
                path=f"golden/{sample.name}",
                input_sha256=input_digest(pixels[index]),
                reference=_numbers(reference[index]),
                outputs={name: _numbers(rows[index]) for name, rows in outputs.items()},
            )
        )
    write_json(folder / GOLDEN_INDEX, {"images": [image.to_json() for image in images]})


def _numbers(row: NDArray[np.float32]) -> tuple[float, ...]:
    return tuple(float(value) for value in row)
