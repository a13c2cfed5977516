"""Make a bundle from a model file that is already exported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from edge_runtime.backends.names import BACKENDS_BY_FORMAT, installed, missing
from edge_runtime.errors import BackendUnavailable
from edge_runtime.image.preprocess import preprocess
from edge_runtime.model.manifest import MANIFEST_NAME, MANIFEST_VERSION
from edge_runtime.model.spec import ModelSpec, OutputForm, ResizeMode
from edge_runtime.selftest.golden import output_tolerance
from edge_runtime.storage.json_files import write_json, write_text
from edge_runtime.storage.publish import published_folder
from export.bundle.golden import write_golden_of
from export.bundle.manifest import file_entry, tool_versions
from export.errors import ExportError
from export.proof.runtime_process import DeviceRun, run_on_device
from export.proof.verify import verify_bundle
from export.sources.calibration import balanced
from export.sources.exported_file import read_ends, with_pixel_input
from export.sources.images import find_images
from export.sources.labels import match_outputs, read_labels

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from export.sources.keras_model import InputRange

DRAWN, MOST_IMAGES, GOLDEN_IMAGES, MIN_GOLDEN_IMAGES = 24, 200, 12, 4
SUM_SLACK = 0.2  # quantized probabilities sum to one only approximately
MAX_LOST_SUM = 0.7


@dataclass(frozen=True)
class Wrapped:
    """A published bundle of one artifact.

    Attributes:
        folder: the bundle.
        artifact: its name.
        images: number of labelled images that measured it; 0 without --data.
        accuracy: its accuracy on them; None without --data.

    """

    folder: Path
    artifact: str
    images: int
    accuracy: float | None


def wrap(
    model: Path,
    labels: Path,
    out: Path,
    *,
    input_range: InputRange | None = None,
    resize: ResizeMode = "stretch",
    data: Path | None = None,
    overwrite: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> Wrapped:
    """Wrap a .tflite or .onnx classifier.

    Args:
        model: the file.
        labels: one label per line; a `background` is added or removed if the outputs are one more or fewer.
        out: the bundle's folder.
        input_range: the range of its input; None if the quantization of its input states it.
        resize: how a device resizes images to the input.
        data: images to measure it with, in one folder per label, or without labels.
        overwrite: replace an older bundle.
        progress: called with each line of progress.

    Raises:
        ExportError, SpecError, InferenceError: the file is not an RGB classifier of these labels, or its range is
            unknown.
        BackendUnavailable: no runtime that reads it is installed.

    """
    if model.suffix not in {".tflite", ".onnx"} or not model.is_file():
        raise ExportError(f"{model}: not a .tflite or .onnx file; use edge-export export for a Keras model")
    ends = read_ends(model)
    names = match_outputs(read_labels(labels), ends.classes, str(labels))
    form: OutputForm = "sigmoid" if ends.units == 1 else "softmax"
    spec = ModelSpec(ends.height, ends.width, names, form, resize, min_familiarity=ends.min_familiarity)
    with published_folder(out, overwrite=overwrite, error=ExportError) as staging:
        name = f"{'int8' if ends.quantized else 'float32'}{model.suffix}"
        path = staging / f"model.{name}"
        path.write_bytes(with_pixel_input(model, ends, input_range))
        return _fill(staging, out, path, model, spec, data, progress)


def _fill(
    staging: Path,
    out: Path,
    path: Path,
    model: Path,
    spec: ModelSpec,
    data: Path | None,
    progress: Callable[[str], None],
) -> Wrapped:
    """Write the bundle into a temporary folder and verify it in every installed runtime."""
    name = path.name.removeprefix("model.")
    able = BACKENDS_BY_FORMAT[path.suffix.removeprefix(".")]
    backends = installed(able)
    if not backends:
        raise BackendUnavailable(f"{name} cannot be proved: {missing(able[0])}")
    paths, truth = _images(staging, spec, data)
    pixels = np.stack([preprocess(image, spec) for image in paths])
    progress(f"running {model} on {len(pixels)} images in {', '.join(backends)}")
    runs = [run_on_device(path, spec, pixels, backend) for backend in backends]
    run = runs[0]
    _check_probabilities(run.probabilities, model, spec)
    accuracy = None if truth is None else float(np.mean(run.probabilities.argmax(axis=1) == truth))
    precision, file_format = name.split(".")
    chosen = _reproducible(runs, np.zeros(len(paths), np.int64) if truth is None else truth, precision, model)
    golden_run = DeviceRun(run.probabilities[chosen], run.latency_ms, tuple(run.tensors[index] for index in chosen))
    golden_images = [paths[index] for index in chosen]
    write_golden_of(golden_images, spec, {name: golden_run}, golden_run.probabilities, staging)
    for drawn in set((staging / "golden").glob("*-drawn.*")) - set(golden_images):
        drawn.unlink()
    write_text(staging / "labels.txt", "".join(f"{label}\n" for label in spec.labels))
    parity = {"images": 0 if truth is None else len(paths), "accuracy": accuracy}
    golden = sorted((staging / "golden").iterdir())
    entry = {"name": name, "precision": precision, "format": file_format, "parity": parity}
    write_json(
        staging / MANIFEST_NAME,
        {
            "version": MANIFEST_VERSION,
            "spec": spec.to_json(),
            "default": name,
            "artifacts": [{**entry, "file": file_entry(path, staging)}],
            "files": [file_entry(item, staging) for item in (staging / "labels.txt", *golden)],
            "versions": tool_versions(),
        },
    )
    progress("verifying the finished bundle in every installed runtime")
    verify_bundle(staging, progress)
    return Wrapped(out, name, int(parity["images"] or 0), accuracy)


def _reproducible(
    runs: Sequence[DeviceRun], truth: NDArray[np.int64], precision: str, model: Path
) -> NDArray[np.int64]:
    """Choose golden images whose probabilities are the same in all runtimes, within half of what a self-test allows.

    Raises:
        ExportError: too few images are, so the runtimes compute different results.

    """
    spread = np.max([np.abs(run.probabilities - runs[0].probabilities).max(axis=1) for run in runs], axis=0)
    same = np.flatnonzero(spread <= output_tolerance(precision) / 2)
    if len(same) < min(MIN_GOLDEN_IMAGES, len(truth)):
        raise ExportError(
            f"{model}: the installed runtimes compute different probabilities, by up to {float(spread.max()):.2g} on "
            f"{len(truth)} images; pass more images with --data, or export the model again"
        )
    return same[balanced(truth[same], GOLDEN_IMAGES)]


def _images(staging: Path, spec: ModelSpec, data: Path | None) -> tuple[list[Path], NDArray[np.int64] | None]:
    """Return images to run, with their classes if they have labels; drawn images if the user gave none."""
    if data is None:
        return _drawn(staging / "golden", spec), None
    paths, classes, labelled = find_images(data, spec.labels)
    chosen = balanced(classes, MOST_IMAGES)
    return [paths[index] for index in chosen], classes[chosen] if labelled else None


def _drawn(folder: Path, spec: ModelSpec) -> list[Path]:
    """Draw smooth coloured noise, larger than the input so that it is resized; the first is lossless."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    paths = []
    for index in range(DRAWN):
        coarse = Image.fromarray(rng.integers(0, 256, (6, 6, 3), np.uint8))
        path = folder / f"{index:02d}-drawn.{'jpg' if index else 'png'}"
        coarse.resize((spec.width * 2, spec.height * 2), Image.Resampling.BICUBIC).save(path, quality=90)
        paths.append(path)
    return paths


def _check_probabilities(outputs: NDArray[np.float32], model: Path, spec: ModelSpec) -> None:
    """Raise ExportError unless the outputs are probabilities of classes that exclude each other."""
    if not np.isfinite(outputs).all():
        raise ExportError(f"{model}: its outputs contain NaN or infinity; export the model again")
    low, high = float(outputs.min()), float(outputs.max())
    if low < 0 or high > 1:
        raise ExportError(
            f"{model}: its outputs {low:.3g}..{high:.3g} are not probabilities; add a softmax and export again"
        )
    sums = outputs.sum(axis=1)
    # Each of many small 8-bit probabilities is rounded by up to half a step, most of them to zero.
    lost = min(MAX_LOST_SUM, max(SUM_SLACK, outputs.shape[1] / 512))
    if (sums.min() < 1 - lost and spec.min_familiarity is None) or sums.max() > 1 + SUM_SLACK:
        raise ExportError(
            f"{model}: its outputs sum to {float(sums.min()):.2f}..{float(sums.max()):.2f} instead of 1 (a multi-"
            "label model?); Edgewise supports models that choose one of their classes"
        )
