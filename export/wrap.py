"""Make a bundle from a model file that is already exported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from edge_runtime.backends.names import BACKENDS_BY_FORMAT, installed, missing
from edge_runtime.errors import BackendUnavailable
from edge_runtime.image.preprocess import preprocess
from edge_runtime.model.bundle import MANIFEST_NAME, MANIFEST_VERSION
from edge_runtime.model.spec import ModelSpec, OutputForm, ResizeMode
from edge_runtime.storage.json_files import write_json, write_text
from edge_runtime.storage.publish import published_folder
from export.bundle.golden import write_golden_of
from export.bundle.manifest import file_entry, tool_versions
from export.errors import ExportError
from export.proof.runtime_process import DeviceRun, run_on_device
from export.sources.calibration import balanced
from export.sources.exported_file import read_ends, with_pixel_input
from export.sources.foreign import find_images, read_labels

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from export.sources.keras_model import InputRange

BACKGROUND = "background"
DRAWN, MOST_IMAGES, GOLDEN_IMAGES = 8, 200, 12
# Quantized probabilities sum to one only approximately, less exactly for many classes.
SUM_SLACK = 0.2


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

    Raises:
        ExportError, SpecError, InferenceError: the file is not an RGB classifier of these labels, or its range is
            unknown.
        BackendUnavailable: no runtime that reads it is installed.

    """
    if model.suffix not in {".tflite", ".onnx"} or not model.is_file():
        raise ExportError(f"{model}: not a .tflite or .onnx file; use edge-export export for a Keras model")
    ends = read_ends(model)
    names = fitted_labels(read_labels(labels), ends.classes, str(labels))
    form: OutputForm = "sigmoid" if ends.units == 1 else "softmax"
    spec = ModelSpec(ends.height, ends.width, names, form, resize)
    with published_folder(out, overwrite=overwrite, error=ExportError) as staging:
        name = f"{'int8' if ends.quantized else 'float32'}{model.suffix}"
        path = staging / f"model.{name}"
        path.write_bytes(with_pixel_input(model, ends, input_range))
        return _fill(staging, out, path, name, spec, data)


def fitted_labels(labels: tuple[str, ...], classes: int, where: str) -> tuple[str, ...]:
    """Add or remove `background` if the labels then fit, and number equal names. Raise ExportError."""
    if len(labels) == classes - 1 and BACKGROUND not in labels:
        labels = (BACKGROUND, *labels)
    elif len(labels) == classes + 1 and labels[0] == BACKGROUND:
        labels = labels[1:]
    if len(labels) != classes:
        raise ExportError(f"{where}: {len(labels)} labels for a model of {classes} classes")
    seen: dict[str, int] = {}
    distinct = []
    for label in labels:
        seen[label] = seen.get(label, 0) + 1
        distinct.append(label if seen[label] == 1 else f"{label} ({seen[label]})")
    return tuple(distinct)


def _fill(staging: Path, out: Path, path: Path, name: str, spec: ModelSpec, data: Path | None) -> Wrapped:
    able = BACKENDS_BY_FORMAT[path.suffix.removeprefix(".")]
    backends = installed(able)
    if not backends:
        raise BackendUnavailable(f"{name} cannot be proved: {missing(able[0])}")
    paths, truth = _images(staging, spec, data)
    run = run_on_device(path, spec, np.stack([preprocess(image, spec) for image in paths]), backends[0])
    _check_probabilities(run.probabilities, path)
    accuracy = None if truth is None else float(np.mean(run.probabilities.argmax(axis=1) == truth))
    chosen = balanced(np.zeros(len(paths), np.int64) if truth is None else truth, GOLDEN_IMAGES)
    golden_run = DeviceRun(run.probabilities[chosen], run.latency_ms, tuple(run.tensors[index] for index in chosen))
    golden_images = [paths[index] for index in chosen]
    write_golden_of(golden_images, spec, {name: golden_run}, golden_run.probabilities, staging)
    write_text(staging / "labels.txt", "".join(f"{label}\n" for label in spec.labels))
    parity = {"images": 0 if truth is None else len(paths), "accuracy": accuracy}
    golden = sorted((staging / "golden").iterdir())
    precision, file_format = name.split(".")
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
    return Wrapped(out, name, int(parity["images"] or 0), accuracy)


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


def _check_probabilities(outputs: NDArray[np.float32], path: Path) -> None:
    sums = outputs.sum(axis=1)
    if outputs.min() < 0 or outputs.max() > 1 or np.abs(sums - 1).max() > SUM_SLACK:
        low, high = float(outputs.min()), float(outputs.max())
        raise ExportError(
            f"{path.name}: its outputs {low:.3g}..{high:.3g} are not probabilities; add a softmax and export again"
        )
