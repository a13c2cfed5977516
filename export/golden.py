"""Write golden vectors into a bundle."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np

from edge_runtime.decision import decide
from edge_runtime.golden import GOLDEN_INDEX, GoldenImage, grid_means, input_digest
from edge_runtime.jsonio import write_json
from edge_runtime.preprocess import load_image, to_input
from export.device import DeviceRun, run_on_device
from export.fragility import signatures

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from edge_runtime.preprocess import Pixels
    from export.artifacts import Candidate
    from export.source_model import SourceModel


def write_golden(source: SourceModel, candidates: Sequence[Candidate], folder: Path) -> None:
    """Copy the source's sample images into `folder`/golden with what every stage and artifact makes of them.

    Args:
        source: its samples, its reference model.
        candidates: the artifacts, in files already.
        folder: the bundle that is being made.

    """
    (folder / "golden").mkdir()
    decoded = [np.asarray(load_image(path, source.spec)) for path in source.samples]
    pixels = np.stack([to_input(load_image(path, source.spec), source.spec) for path in source.samples])
    reference = source.probabilities(pixels)
    runs: dict[str, DeviceRun] = {
        item.name: run_on_device(item.path, source.spec, pixels, item.backend) for item in candidates
    }
    images = [
        _golden_image(source, index, decoded[index], pixels[index], reference[index], runs)
        for index in range(len(source.samples))
    ]
    for sample in source.samples:
        shutil.copyfile(sample, folder / "golden" / sample.name)
    mistakes = {name: [_numbers(row) for row in rows] for name, rows in signatures(source).items()}
    write_json(folder / GOLDEN_INDEX, {"images": [image.to_json() for image in images], "mistakes": mistakes})


def _golden_image(
    source: SourceModel,
    index: int,
    decoded: Pixels,
    pixels: Pixels,
    reference: NDArray[np.float32],
    runs: Mapping[str, DeviceRun],
) -> GoldenImage:
    return GoldenImage(
        path=f"golden/{source.samples[index].name}",
        decoded_sha256=input_digest(decoded),
        decoded_grid=grid_means(decoded),
        input_sha256=input_digest(pixels),
        input_grid=grid_means(pixels),
        reference=_numbers(reference),
        tensors={name: run.tensors[index] for name, run in runs.items()},
        outputs={name: _numbers(run.probabilities[index]) for name, run in runs.items()},
        decisions={name: decide(run.probabilities[index], source.spec).label for name, run in runs.items()},
    )


def _numbers(row: NDArray[np.float32]) -> tuple[float, ...]:
    return tuple(float(value) for value in row)
