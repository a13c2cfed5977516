"""Read a Keras classifier that edge-train did not write, with a folder of images and what the user states about it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from edge_runtime.errors import SourceError
from edge_runtime.image.preprocess import preprocess
from edge_runtime.model.spec import ModelSpec, ResizeMode
from export.errors import ExportError
from export.importing.graph import PIXEL_TYPES
from export.importing.graph_model import graph_model
from export.importing.process import import_model
from export.sources.calibration import balanced, choose
from export.sources.fitted_familiarity import with_fitted_familiarity
from export.sources.foreign_input import find_input, read_graph_ends, read_head
from export.sources.images import find_images
from export.sources.keras_model import ModelFile, check_ends, pixel_classifier
from export.sources.label_order import check_accuracy
from export.sources.labels import read_labels
from export.sources.reading import StatedInput
from export.sources.source_model import SourceModel

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from edge_runtime.model.spec import Color
    from export.importing.process import Imported
    from export.sources.exported.ends import ModelEnds
    from export.sources.reading_search import Found

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
        resize: how a device resizes images to the input; None if it is to be found.
        stated: how the input is computed from pixels; a range of "0..255" if the model contains its own rescaling.
        accept_chance: export although the accuracy is near chance.

    """

    path: Path
    labels: Path
    data: Path
    resize: ResizeMode | None = None
    stated: StatedInput = field(default_factory=StatedInput)
    accept_chance: bool = False


class _Opened(NamedTuple):
    """A model as a graph, with the spec as far as the model and the user state it."""

    given: ForeignModel
    model: Any
    graph: bytes
    ends: ModelEnds
    spec: ModelSpec


def read_foreign(
    given: ForeignModel,
    *,
    calibration_images: int = 200,
    scratch: Path | None = None,
    progress: Callable[[str], None] = lambda _: None,
    importing: Callable[[Path], Imported] = import_model,
) -> SourceModel:
    """Read a model and divide its images into calibration and held-out images.

    Args:
        given: the model and what is stated about it.
        calibration_images: maximum number of calibration images, to which the familiarity is fitted, too.
        scratch: a folder that exists as long as the result is used, for the familiarity; None fits none.
        progress: called with each line of progress, and each warning.
        importing: reads the model; `import_here` is for a model that is trusted.

    Raises:
        ExportError, SpecError: the model, the labels or the images cannot be used; the message names the file.

    """
    opened = _open(given, importing, progress)
    paths, classes, labelled = find_images(given.data, opened.spec.labels)
    found = _search(opened, paths, classes if labelled else None)
    for line in found.notes:
        progress(f"warning: {line}")
    source = _with_images(opened, found, paths, classes, calibration_images, labelled=labelled)
    if labelled:
        for line in _accuracy_warnings(source, given, found):
            progress(f"warning: {line}")
    if scratch is not None:
        source = with_fitted_familiarity(source, opened.model, scratch)
    return source if labelled else _labelled_by_itself(source)


def _open(given: ForeignModel, importing: Callable[[Path], Imported], progress: Callable[[str], None]) -> _Opened:
    labels = read_labels(given.labels)
    imported = importing(given.path)
    given, graph = _checked(imported, given, progress), imported.graph.content
    model = graph_model(graph, given.path)
    side, ends = check_ends(model, given.path, len(labels)), read_graph_ends(model, graph)
    color: Color = "gray" if ends.channels == 1 else "RGB"
    return _Opened(
        given, model, graph, ends, ModelSpec(*side, labels, "softmax", given.resize or "stretch", color=color)
    )


def _with_images(
    opened: _Opened,
    found: Found,
    paths: Sequence[Path],
    classes: NDArray[np.int64],
    calibration_images: int,
    *,
    labelled: bool,
) -> SourceModel:
    """Divide the images into calibration and held-out images."""
    given, model, spec = opened.given, opened.model, replace(opened.spec, resize=found.resize)
    for_calibration = _share(classes, calibration_images)
    calibrating, held_out = np.flatnonzero(for_calibration), np.flatnonzero(~for_calibration)
    held_out = held_out[balanced(classes[held_out], MOST_HELD_OUT)]
    calibration = _prepared([paths[index] for index in calibrating], spec)
    if labelled:
        calibration = choose(calibration, classes[calibrating], calibration_images, str(given.data))
    holdout = _prepared([paths[index] for index in held_out], spec)
    head = read_head(model, opened.ends, given.path, holdout, found.reading)
    return SourceModel(
        model=pixel_classifier(model, side=(spec.height, spec.width), reading=found.reading, head=head),
        origin=ModelFile(given.path, head=head, reading=found.reading, graph=opened.graph),
        spec=spec,
        calibration=calibration,
        holdout=holdout,
        holdout_labels=classes[held_out],
        samples=tuple(paths[held_out[index]] for index in balanced(classes[held_out], GOLDEN_IMAGES)),
        unchecked=None if labelled else UNLABELLED,
    )


def _accuracy_warnings(source: SourceModel, given: ForeignModel, found: Found) -> list[str]:
    """Return warnings about the accuracy on the held-out images. Raise ExportError if it is near chance."""
    predicted = source.probabilities(source.holdout).argmax(axis=1).astype(np.int64)
    return check_accuracy(
        predicted,
        source.holdout_labels,
        source.spec.labels,
        given.path,
        better=found.better,
        accept_chance=given.accept_chance,
    )


def _search(opened: _Opened, paths: Sequence[Path], truth: NDArray[np.int64] | None) -> Found:
    """Find the reading and the fit with the images; what is stated is kept."""

    def pixels_of(chosen: NDArray[np.int64], fit: ResizeMode) -> NDArray[np.uint8]:
        return _prepared([paths[index] for index in chosen], replace(opened.spec, resize=fit))

    given, count = opened.given, len(paths)
    return find_input(
        opened.model, opened.ends, given.path, given.stated, truth, pixels_of, count=count, resize=given.resize
    )


def _checked(imported: Imported, given: ForeignModel, progress: Callable[[str], None]) -> ForeignModel:
    """Return what is stated about a model, completed by the type of its input.

    Raise ExportError if an input of integers cannot have what is stated.
    """
    for note in imported.graph.notes:
        progress(f"{given.path}: {note}")
    if imported.unprotected:
        progress(f"this system does not confine the process that reads the model: {'; '.join(imported.unprotected)}")
    if imported.graph.input_type not in PIXEL_TYPES:
        return given
    stated = given.stated.reading()
    if stated is not None and not stated.is_pixels:
        raise ExportError(f"{given.path}: its input is {imported.graph.input_type}; pass --input-range 0..255")
    return replace(given, stated=StatedInput("0..255"))


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


def _labelled_by_itself(source: SourceModel) -> SourceModel:
    """Use the trained model's own classes as labels, so that the counts show where an artifact differs from it."""
    return replace(source, holdout_labels=source.probabilities(source.holdout).argmax(axis=1).astype(np.int64))
