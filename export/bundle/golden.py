"""Write the golden images of a bundle: images with the results that a device must reproduce."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from edge_runtime.classify.decision import decide
from edge_runtime.image.preprocess import load_image, to_input
from edge_runtime.selftest.golden import GOLDEN_INDEX, GoldenImage, grid_means, input_digest, output_tolerance
from edge_runtime.storage.json_files import write_json
from export.errors import ParityError
from export.proof.preprocessing_mistakes import signatures

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from edge_runtime.image.preprocess import Pixels
    from edge_runtime.model.spec import ModelSpec
    from export.proof.measure import Measured
    from export.runtimes.process import DeviceRun
    from export.sources.source_model import SourceModel

MIN_IMAGES = 4
NUMBERED_NAME = re.compile(r"\d{2}-[A-Za-z0-9_-]+\.[a-z0-9]+")


def write_golden(source: SourceModel, measured: Sequence[Measured], folder: Path) -> None:
    """Write the golden images of an export: the sample images of the RUN and the expected results for them.

    Args:
        source: the trained model and its sample images.
        measured: the artifacts that passed all checks.
        folder: the bundle in preparation.

    """
    chosen = _reproducible(source, measured)
    mistakes = {name: [_numbers(rows[at]) for at in chosen] for name, rows in signatures(source).items()}
    runs: dict[str, DeviceRun] = {item.candidate.name: _some(item.golden, chosen) for item in measured}
    reference = source.probabilities(source.sample_pixels)[chosen]
    samples = [source.samples[at] for at in chosen]
    write_golden_of(samples, source.spec, runs, reference, folder, mistakes=mistakes)


def _reproducible(source: SourceModel, measured: Sequence[Measured]) -> list[int]:
    """Return the samples on which the installed runtimes agree within half of what a self-test allows.

    A sample near a decision limit would fail the self-test of another runtime or processor although nothing is wrong.
    If there are fewer than MIN_IMAGES such samples, those with the next smallest differences are added.

    Raises:
        ParityError: the runtimes differ by more than a self-test allows on every sample.

    """
    spread = np.zeros(len(source.samples))
    for item in measured:
        spread = np.maximum(spread, item.golden_spread / output_tolerance(item.candidate.precision))
    order = np.argsort(spread, kind="stable")
    chosen = [int(at) for at in order if spread[at] <= 0.5]
    chosen += [int(at) for at in order[len(chosen) : MIN_IMAGES] if spread[at] <= 1]
    if not chosen:
        raise ParityError(
            "the installed runtimes compute different probabilities for every sample image; "
            "export fewer formats with --formats"
        )
    return sorted(chosen)


def _some(run: DeviceRun, chosen: Sequence[int]) -> DeviceRun:
    return replace(run, probabilities=run.probabilities[chosen], tensors=tuple(run.tensors[at] for at in chosen))


def write_golden_of(
    samples: Sequence[Path],
    spec: ModelSpec,
    runs: Mapping[str, DeviceRun],
    reference: NDArray[np.float32],
    folder: Path,
    *,
    mistakes: Mapping[str, Sequence[tuple[float, ...]]] | None = None,
) -> None:
    """Copy images into `folder`/golden, and write the expected results of every stage to golden.json.

    Args:
        samples: encoded images.
        spec: the spec of the artifacts.
        runs: each artifact's results for the images, by the artifact's name.
        reference: the trained model's probabilities for the images, (n_samples, n_classes), 0..1.
        folder: the bundle in preparation.
        mistakes: by the name of a preprocessing mistake, the trained model's probabilities for the images with it.

    """
    (folder / "golden").mkdir(exist_ok=True)
    names = _file_names(samples)
    decoded = [load_image(path, spec) for path in samples]
    pixels = np.stack([to_input(image, spec) for image in decoded])
    images = [
        _golden_image(name, spec, index, np.asarray(decoded[index]), pixels[index], reference[index], runs).to_json()
        for index, name in enumerate(names)
    ]
    for sample, name in zip(samples, names, strict=True):
        if sample != folder / "golden" / name:
            shutil.copyfile(sample, folder / "golden" / name)
    write_json(folder / GOLDEN_INDEX, {"images": images, "mistakes": dict(mistakes or {})})


def _file_names(samples: Sequence[Path]) -> list[str]:
    """Return the file names of the samples in the bundle.

    A number makes them different, because samples of several folders may have equal names, and other characters than
    those that a manifest allows are replaced. Samples with a number and such a name keep it.
    """
    own = [sample.name for sample in samples]
    if len(set(own)) == len(own) and all(NUMBERED_NAME.fullmatch(name) for name in own):
        return own
    return [
        f"{index:02}-{re.sub('[^A-Za-z0-9_-]+', '-', sample.stem).strip('-') or 'image'}{sample.suffix.lower()}"
        for index, sample in enumerate(samples)
    ]


def _golden_image(
    name: str,
    spec: ModelSpec,
    index: int,
    decoded: Pixels,
    pixels: Pixels,
    reference: NDArray[np.float32],
    runs: Mapping[str, DeviceRun],
) -> GoldenImage:
    return GoldenImage(
        path=f"golden/{name}",
        decoded_sha256=input_digest(decoded),
        decoded_grid=grid_means(decoded),
        input_sha256=input_digest(pixels),
        input_grid=grid_means(pixels),
        reference=_numbers(reference),
        tensors={name: run.tensors[index] for name, run in runs.items()},
        outputs={name: _numbers(run.probabilities[index]) for name, run in runs.items()},
        decisions={name: decide(run.probabilities[index], spec).label for name, run in runs.items()},
    )


def _numbers(row: NDArray[np.float32]) -> tuple[float, ...]:
    return tuple(float(value) for value in row)
