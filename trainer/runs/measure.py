"""Measure a RUN again, on its own test photographs or on another labelled folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trainer.data.several_folders import scan_all
from trainer.errors import DataError, TrainingError
from trainer.images.pixels import decode
from trainer.networks.keras_file import load_keras
from trainer.progress import log
from trainer.tensorflow_setup import require_tensorflow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from edge_runtime.image.preprocess import Pixels
    from edge_runtime.model.spec import ModelSpec
    from trainer.data.layout import Layout
    from trainer.evaluation.learning_curve import LearningCurve
    from trainer.evaluation.scores import Evaluation
    from trainer.networks.models import Model
    from trainer.runs.label_mistakes import LabelMistake
    from trainer.runs.recognition import MeasuredFamiliarity
    from trainer.runs.run_folder import Holdout

MOST_EXPLAINED = 48  # as many as the page shows


class Measured(NamedTuple):
    """A model's result, and the photographs on which it was measured.

    Attributes:
        spec: the model's spec.
        evaluation: the result.
        probabilities: float64 of shape (N, classes).
        targets: class indices, int64 of shape (N,).
        pixels: uint8 of shape (N, H, W, 3).
        familiarity: what the model recognizes as familiar; None if it computes no familiarity.
        curve: the learning curve, or why there is none; empty if it was not measured.
        explained: for the rows of the most confident wrong decisions, the photograph with the places that speak for
            the decided class; empty for a network without pooled features.
        label_mistakes: photographs of the RUN whose label is probably wrong, the most suspicious first.

    """

    spec: ModelSpec
    evaluation: Evaluation
    probabilities: NDArray[np.float64]
    targets: NDArray[np.int64]
    pixels: Pixels
    familiarity: MeasuredFamiliarity | None = None
    curve: LearningCurve | str = ""
    explained: Mapping[int, Pixels] = MappingProxyType({})
    label_mistakes: Sequence[LabelMistake] = ()


def evaluate_run(folder: Path, data: Path | Sequence[Path] | None = None) -> Evaluation:
    """Measure a RUN's model; arguments and errors as for `measure_run`."""
    return measure_run(folder, data).evaluation


def measure_run(folder: Path, data: Path | Sequence[Path] | None = None, unfamiliar: Path | None = None) -> Measured:
    """Measure a RUN's model on the test photographs in the RUN, or on one or more folders with one folder per class.

    The familiarity is measured on built-in images of none of the classes, or on those of the folder `unfamiliar`. The
    learning curve and the label mistakes are those of the RUN's own photographs; another folder has none.

    Raises:
        TrainingError, SpecError: the RUN is damaged.
        DataError: the folder's classes are not the model's, or it contains no usable photograph.

    """
    require_tensorflow()
    from trainer.evaluation.scores import predict, score
    from trainer.runs.label_mistakes import read_label_mistakes
    from trainer.runs.recognition import measure_familiarity
    from trainer.runs.run_folder import read_holdout, read_spec
    from trainer.runs.saved_features import measure_learning_curve

    spec = read_spec(folder)
    folders = [data] if isinstance(data, Path) else data
    pixels, targets = _labelled(folders, spec) if folders else _kept(read_holdout(folder, spec))
    model = load_keras(folder / "model.keras", "train again")
    probabilities = predict(model, pixels)
    correct = probabilities.argmax(axis=1) == targets
    familiarity = measure_familiarity(folder, spec, model, pixels, correct, unfamiliar)
    if unfamiliar and familiarity is None:
        raise TrainingError(f"{folder}: computes no familiarity, so --unfamiliar has nothing to measure; train again")
    measured = Measured(spec, score(probabilities, targets, spec.labels), probabilities, targets, pixels, familiarity)
    measured = measured._replace(explained=_explained(model, measured))
    if data:
        return measured
    return measured._replace(curve=measure_learning_curve(folder, spec), label_mistakes=read_label_mistakes(folder))


def _explained(model: Model, measured: Measured) -> dict[int, Pixels]:
    from trainer.evaluation.scores import wrong_decisions
    from trainer.runs.explained import explain_pixels

    rows = wrong_decisions(measured.probabilities, measured.targets)[:MOST_EXPLAINED]
    found = explain_pixels(model, measured.pixels[rows], measured.spec.labels) if len(rows) else None
    return {int(row): one.drawn for row, one in zip(rows, found or (), strict=False)}


def check_classes(layout: Layout, spec: ModelSpec) -> None:
    """Raise DataError if a data folder has a class that the model does not have."""
    unknown = set(layout.labels) - set(spec.labels)
    if unknown:
        known, place = ", ".join(spec.labels), next(file for file in layout.files if file.label == min(unknown)).path
        raise DataError(f"{place.parent}: not a class of the model, whose classes are {known}; rename or move it")


def _kept(holdout: Holdout) -> tuple[Pixels, NDArray[np.int64]]:
    return holdout.pixels, holdout.targets


def held_out_part(layout: Layout) -> Layout:
    """Return only the test photographs of a folder that is divided, or else its validation photographs.

    Of several folders, those that are not divided stay as they are.
    """
    parts = {file.part for file in layout.files}
    for part in ("test", "validation"):
        if part in parts and len(parts - {"all"}) > 1:
            log(f"{layout.where}: is divided; only the {part} photographs are measured")
            return replace(layout, files=tuple(file for file in layout.files if file.part in {part, "all"}))
    return layout


def _labelled(folders: Sequence[Path], spec: ModelSpec) -> tuple[Pixels, NDArray[np.int64]]:
    layout = held_out_part(scan_all(folders))
    check_classes(layout, spec)
    decoded = decode(layout.files, spec)
    good = [at for at, reason in enumerate(decoded.reasons) if not reason]
    if not good:
        raise DataError(f"{layout.where}: contains no usable photograph; {layout.files[0].name}: {decoded.reasons[0]}")
    if len(good) < len(layout.files):
        log(f"{len(layout.files) - len(good)} files left out")
    targets = np.array([spec.labels.index(layout.files[at].label) for at in good], np.int64)
    return decoded.pixels[good], targets
