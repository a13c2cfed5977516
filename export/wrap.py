"""Make a bundle from a model file that is already exported."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from edge_runtime.backends.names import BACKENDS_BY_FORMAT, installed, missing
from edge_runtime.errors import BackendUnavailable, SourceError
from edge_runtime.image.preprocess import preprocess
from edge_runtime.model.spec import ModelSpec, ResizeMode
from edge_runtime.storage.publish import published_folder
from export.bundle.wrapped import write_wrapped
from export.convert.flatbuffer import finish
from export.errors import ExportError
from export.proof.edit import check_edit, nudged
from export.proof.verify import verify_bundle
from export.runtimes.bare import bare_outputs
from export.runtimes.compatibility import parse_floor, requirements, shortfalls
from export.runtimes.process import run_on_device
from export.sources.calibration import balanced
from export.sources.exported.choice import known_input, known_labels
from export.sources.exported.head import head_of, likely_head, probabilities
from export.sources.exported_file import ModelEnds, StatedShape, read_ends, read_statements, with_pixel_input
from export.sources.images import find_images
from export.sources.label_order import check_accuracy
from export.sources.reading import StatedInput
from export.sources.reading_search import SEARCH_IMAGES, Found, search_labelled, search_unlabelled

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from edge_runtime.image.preprocess import Pixels
    from export.sources.exported.choice import KnownInput
    from export.sources.reading import Reading

DRAWN, MOST_IMAGES = 24, 200
Warn = Callable[[str], None]


@dataclass(frozen=True)
class StatedFile:
    """What a user states about an exported file; what is None is read from the file or found with images.

    Attributes:
        labels: a list of labels in the order of the outputs.
        data: images to measure it with, in one folder per label, or without labels.
        resize: how a device resizes images to the input.
        input: how the input is computed from pixels.
        shape: the size and the layout of the input.
        accept_chance: publish although the accuracy is near chance.

    """

    labels: Path | None = None
    data: Path | None = None
    resize: ResizeMode | None = None
    input: StatedInput = field(default_factory=StatedInput)
    shape: StatedShape = field(default_factory=StatedShape)
    accept_chance: bool = False


@dataclass(frozen=True)
class Wrapped:
    """A published bundle of one artifact.

    Attributes:
        folder: the bundle.
        artifact: its name.
        reading: how the file computes its input from pixels, by name.
        images: number of labelled images that measured it; 0 without --data.
        accuracy: its accuracy on them; None without --data.

    """

    folder: Path
    artifact: str
    reading: str
    images: int
    accuracy: float | None


@dataclass(frozen=True)
class _Images:
    """The images on which a file is run, and their class indices if they have labels."""

    paths: list[Path]
    truth: NDArray[np.int64] | None
    are_drawn: bool

    def pixels(self, spec: ModelSpec, count: int | None = None) -> Pixels:
        try:
            return np.stack([preprocess(path, spec) for path in self.paths[:count]])
        except SourceError as problem:
            raise ExportError(f"{problem} (an image of --data)") from None


def wrap(
    model: Path,
    out: Path,
    stated: StatedFile,
    *,
    overwrite: bool = False,
    warn: Warn = lambda _: None,
    progress: Callable[[str], None] = lambda _: None,
) -> Wrapped:
    """Wrap a .tflite or .onnx classifier.

    Args:
        model: the file.
        out: the bundle's folder.
        stated: what the user states about the file.
        overwrite: replace an older bundle.
        warn: called with each warning, one line.
        progress: called with each line of progress.

    Raises:
        ExportError, SpecError, InferenceError: the file is not a classifier of these labels, or its range is unknown.
        BackendUnavailable: no runtime that reads it is installed.

    """
    _check_can_be_run(model)
    ends, says = read_ends(model, stated.shape), read_statements(model)
    labels, warnings = known_labels(stated.labels, says, ends, model, has_images=stated.data is not None)
    spec = _spec(ends, labels, stated.resize or says.resize or "stretch")
    with published_folder(out, overwrite=overwrite, error=ExportError) as staging:
        images = _images(staging, spec, stated.data)
        has_labels, has_images = images.truth is not None, not images.are_drawn
        known = known_input(ends, stated.input, says, model, has_labels=has_labels, has_images=has_images)
        progress(f"{model}: running it on {len(images.paths)} images")
        found = _search(model, ends, spec, images, known, stated.resize or says.resize, bgr=stated.input.bgr)
        for line in (*warnings, *known.warnings, *found.notes):
            warn(line)
        wrapped = _fill(staging, out, model, ends, replace(spec, resize=found.resize), images, found, stated, warn)
        progress("verifying the finished bundle in every installed runtime")
        verify_bundle(staging, progress)
        return wrapped


def _check_can_be_run(model: Path) -> None:
    if model.suffix not in {".tflite", ".onnx"} or not model.is_file():
        raise ExportError(f"{model}: not a .tflite or .onnx file; use edge-export export for a Keras model")
    if not installed(BACKENDS_BY_FORMAT[model.suffix[1:]]):
        raise BackendUnavailable(f"{model} cannot be proved: {missing(BACKENDS_BY_FORMAT[model.suffix[1:]][0])}")


def _spec(ends: ModelEnds, labels: tuple[str, ...], resize: ResizeMode) -> ModelSpec:
    return ModelSpec(
        ends.height,
        ends.width,
        labels,
        "sigmoid" if ends.units == 1 else "softmax",
        resize,
        color="gray" if ends.channels == 1 else "RGB",
        min_familiarity=ends.min_familiarity,
    )


def _search(
    model: Path,
    ends: ModelEnds,
    spec: ModelSpec,
    images: _Images,
    known: KnownInput,
    resize: ResizeMode | None,
    *,
    bgr: bool,
) -> Found:
    """Find the reading and the fit with the images, or return what is known if they have no labels."""

    def run(pixels: Pixels, readings: Sequence[Reading]) -> list[NDArray[np.float32]]:
        outputs = bare_outputs(model, ends, pixels, readings)
        return [probabilities(rows, ends, likely_head(rows, ends)) for rows in outputs]

    if images.truth is not None:
        chosen = balanced(images.truth, SEARCH_IMAGES)
        some = _Images([images.paths[at] for at in chosen], images.truth[chosen], are_drawn=False)
        return search_labelled(
            run,
            lambda fit: some.pixels(replace(spec, resize=fit)),
            images.truth[chosen],
            known.candidates,
            stated=known.reading,
            resize=resize,
            bgr=bgr,
        )
    if known.reading is not None:
        return Found(known.reading, spec.resize, None)
    possible = [item for item in known.candidates if item.bgr or not bgr]
    return search_unlabelled(run, images.pixels(spec, SEARCH_IMAGES), possible, resize=spec.resize, where=str(model))


def _fill(
    staging: Path,
    out: Path,
    model: Path,
    ends: ModelEnds,
    spec: ModelSpec,
    images: _Images,
    found: Found,
    stated: StatedFile,
    warn: Warn,
) -> Wrapped:
    """Write the bundle into a temporary folder."""
    pixels = images.pixels(spec)
    bare, moved = bare_outputs(model, ends, pixels, [found.reading, nudged(found.reading)])
    head = head_of(bare, ends, model)
    if head == "logits":
        warn(f"{model}: returns logits; a {'softmax' if ends.units > 1 else 'sigmoid'} is added to the graph")
    path = staging / f"model.{ends.precision}{model.suffix}"
    content = with_pixel_input(model, ends, found.reading, head)
    if path.suffix == ".tflite" and content != model.read_bytes():
        content = finish(content, spec)  # its metadata stated the old input
    path.write_bytes(content)
    backends = installed(BACKENDS_BY_FORMAT[path.suffix.removeprefix(".")])
    if "tflite-runtime" in backends:
        _check_operators(path, model)
    runs = [run_on_device(path, spec, pixels, backend) for backend in backends]
    expected, other = (probabilities(rows, ends, head) for rows in (bare, moved))
    check_edit(runs[0].probabilities, expected, float(np.abs(expected - other).max()), ends, model)
    accuracy = None
    if images.truth is not None:
        predicted = runs[0].probabilities.argmax(axis=1)
        accuracy = float(np.mean(predicted == images.truth))
        better, accept = found.better, stated.accept_chance
        for line in check_accuracy(predicted, images.truth, spec.labels, model, better=better, accept_chance=accept):
            warn(line)
    write_wrapped(path, spec, images.paths, images.truth, runs, model)
    count = 0 if images.truth is None else len(images.paths)
    return Wrapped(out, path.name.removeprefix("model."), found.reading.name, count, accuracy)


def _check_operators(path: Path, model: Path) -> None:
    """Raise ExportError if the installed tflite-runtime lacks an operator; otherwise its own message would say less."""
    missing_operators = shortfalls(requirements(path), parse_floor("tflite-runtime==2.14"))
    if missing_operators:
        raise ExportError(
            f"{model}: {missing_operators[0]}; convert it for older runtimes, or uninstall tflite-runtime from this "
            "environment if no device uses it"
        )


def _images(staging: Path, spec: ModelSpec, data: Path | None) -> _Images:
    """Return images to run, with their classes if they have labels; drawn images if the user gave none."""
    if data is None:
        return _Images(_drawn(staging / "golden", spec), None, are_drawn=True)
    paths, classes, labelled = find_images(data, spec.labels)
    chosen = balanced(classes, MOST_IMAGES)
    return _Images([paths[index] for index in chosen], classes[chosen] if labelled else None, are_drawn=False)


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
