"""Read a Keras classifier that edge-train did not write, with a folder of images and what the user states about it."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_runtime.errors import SourceError
from edge_runtime.image.files import IMAGE_EXTENSIONS
from edge_runtime.image.preprocess import preprocess
from edge_runtime.model.spec import ModelSpec, ResizeMode
from export.errors import ExportError
from export.sources.calibration import balanced, choose
from export.sources.keras_model import Head, InputRange, ModelFile, check_ends, load_model, pixel_classifier
from export.sources.source_model import SourceModel

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

GOLDEN_IMAGES = 12
MOST_HELD_OUT = 1000
UNLABELLED = (
    "The images have no labels, so accuracy, recall and confusion could not be measured: every number here compares"
    " only with the trained model."
)


@dataclass(frozen=True)
class ForeignModel:
    """What a user states about a model.

    Attributes:
        path: a .keras or .h5 file, or a SavedModel folder.
        labels: a text file, one label per line, in the order of the outputs.
        data: images in one folder per label, or any images, without labels.
        input_range: the range of the model's input; "0..255" if it contains its own rescaling.
        resize: how a device resizes images to the input.

    """

    path: Path
    labels: Path
    data: Path
    input_range: InputRange
    resize: ResizeMode = "stretch"


def read_labels(path: Path) -> tuple[str, ...]:
    """Read one label per line. Raise ExportError."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as problem:
        raise ExportError(f"{path}: not readable as a list of labels: {problem}") from None
    return tuple(line.strip() for line in lines if line.strip())


def read_foreign(given: ForeignModel, *, calibration_images: int = 200) -> SourceModel:
    """Read a model and divide its images into calibration and held-out images.

    Raises:
        ExportError, SpecError: the model, the labels or the images cannot be used; the message names the file.

    """
    labels = read_labels(given.labels)
    model = load_model(given.path)
    side = check_ends(model, given.path, len(labels))
    spec = ModelSpec(*side, labels, "softmax", given.resize)
    paths, classes, labelled = find_images(given.data, labels)
    for_calibration = _share(classes, calibration_images)
    calibrating, held_out = np.flatnonzero(for_calibration), np.flatnonzero(~for_calibration)
    held_out = held_out[balanced(classes[held_out], MOST_HELD_OUT)]
    calibration = _prepared([paths[index] for index in calibrating], spec)
    if labelled:
        calibration = choose(calibration, classes[calibrating], calibration_images, str(given.data))
    holdout = _prepared([paths[index] for index in held_out], spec)
    head = _head(model, side, holdout, given.input_range)
    source = SourceModel(
        model=pixel_classifier(model, side=side, input_range=given.input_range, head=head),
        origin=ModelFile(given.path, given.input_range, head),
        spec=spec,
        calibration=calibration,
        holdout=holdout,
        holdout_labels=classes[held_out],
        samples=tuple(paths[held_out[index]] for index in balanced(classes[held_out], GOLDEN_IMAGES)),
        unchecked=None if labelled else UNLABELLED,
    )
    return source if labelled else _labelled_by_itself(source)


def find_images(folder: Path, labels: Sequence[str]) -> tuple[list[Path], NDArray[np.int64], bool]:
    """Find images in one folder per label, or, if there are no such folders, anywhere in the folder.

    Returns:
        Paths in a random order that is always the same, their class indices (zeros if they have no labels), and whether
        they have labels.

    """
    if not folder.is_dir():
        raise ExportError(f"{folder}: no such folder of images; --data needs one, with one folder per label")
    present = [label for label in labels if (folder / label).is_dir()]
    found = [(path, labels.index(label)) for label in present for path in _images(folder / label)]
    labelled = bool(found)
    if not labelled:
        found = [(path, 0) for path in _images(folder)]
    if len(found) < 2:
        raise ExportError(
            f"{folder}: {len(found)} images are too few; some are needed for calibration and others for the proof"
        )
    random.Random(0).shuffle(found)  # noqa: S311 - no secret
    return [path for path, _ in found], np.array([label for _, label in found], np.int64), labelled


def _images(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_EXTENSIONS and path.is_file())


def _share(classes: NDArray[np.int64], wanted: int) -> NDArray[np.bool_]:
    """Mark the calibration images: as many as wanted, but at most half of all."""
    marked = np.zeros(len(classes), bool)
    marked[balanced(classes, min(wanted, len(classes) // 2))] = True
    return marked


def _prepared(paths: Sequence[Path], spec: ModelSpec) -> NDArray[np.uint8]:
    try:
        return np.stack([preprocess(path, spec) for path in paths])
    except SourceError as problem:
        raise ExportError(f"{problem} (an image of --data)") from None


def _head(
    model: Any,  # noqa: ANN401 - Keras is not typed
    side: tuple[int, int],
    holdout: NDArray[np.uint8],
    input_range: InputRange,
) -> Head:
    """Return what a model's outputs are: by its last layer's activation, else by whether they are probabilities."""
    last = getattr(model.layers[-1], "activation", None) if hasattr(model, "layers") else None
    named = getattr(last, "__name__", "")
    if named in {"softmax", "sigmoid"}:
        return "sigmoid" if model.output_shape[-1] == 1 else "softmax"
    if named == "linear":
        return "logits"
    bare = pixel_classifier(model, side=side, input_range=input_range, head="softmax", raw=True)
    outputs = np.asarray(bare(holdout[:32].astype(np.float32), training=False))
    within = bool((outputs >= 0).all() and (outputs <= 1).all())
    if outputs.shape[-1] == 1:
        return "sigmoid" if within else "logits"
    return "softmax" if within and np.allclose(outputs.sum(axis=1), 1, atol=1e-3) else "logits"


def _labelled_by_itself(source: SourceModel) -> SourceModel:
    """Use the trained model's own classes as labels, so that the counts show where an artifact differs from it."""
    return replace(source, holdout_labels=source.probabilities(source.holdout).argmax(axis=1).astype(np.int64))
