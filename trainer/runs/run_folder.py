"""Write and read a RUN, the folder that the export and `edge-train evaluate` use."""

from __future__ import annotations

import csv
import hashlib
import logging
import os
import platform
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_runtime.drift.baseline import BASELINE_NAME
from edge_runtime.familiarity.scenes import draw_scenes
from edge_runtime.model.spec import ModelSpec
from edge_runtime.model.training_digests import keys_of
from edge_runtime.storage.json_files import write_json
from trainer.data.split import SPLITS
from trainer.errors import TrainingError
from trainer.evaluation.plots import write_plots
from trainer.fitting.fit import Epoch
from trainer.images.paging import take
from trainer.images.samples import balanced, write_samples
from trainer.runs.drift_baseline import write_baseline
from trainer.runs.journal import FOLDER
from trainer.runs.versions import versions

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from edge_runtime.image.preprocess import Pixels
    from trainer.data.split import Split
    from trainer.evaluation.calibration import Calibration
    from trainer.evaluation.scores import Evaluation
    from trainer.fitting.fit import Phase
    from trainer.fitting.phases import TrainingResult
    from trainer.images.dataset import Dataset, Photo
    from trainer.networks.models import Model
    from trainer.runs.journal import Journal
    from trainer.runs.recognition import Recognition

CALIBRATION_IMAGES = 200
UNFAMILIAR_SAMPLE, SCENE_SEED = "90-unfamiliar.jpg", 7  # an empty scene among the sample photographs
HOLDOUT_IMAGES = 2000  # the maximum that is kept of a larger test split, balanced over the classes


@dataclass(frozen=True)
class Holdout:
    """The test photographs of a RUN.

    Attributes:
        pixels: uint8 of shape (N, H, W, 3), 0..255, preprocessed.
        targets: class indices, int64 of shape (N,).

    """

    pixels: Pixels
    targets: NDArray[np.int64]


def write_run(
    folder: Path,
    dataset: Dataset,
    journal: Journal,
    trained: TrainingResult,
    evaluation: Evaluation,
    calibration: Calibration,
    recognition: Recognition,
    *,
    wall_s: float,
) -> None:
    """Write everything that a RUN contains into an existing, empty folder.

    Args:
        folder: the destination.
        dataset: the photographs.
        journal: the settings.
        trained: the model and its phases.
        evaluation: the model's result on all test photographs.
        calibration: the effect of the temperature on them.
        recognition: what the model recognizes as familiar.
        wall_s: the duration of the training in seconds.

    """
    trained.model.save(folder / "model.keras")
    if journal.legacy_h5:
        _save_h5(trained.model, folder / "model.h5")
    dataset.spec.write(folder / "spec.json")
    write_arrays(folder / "calibration.npz", dataset, balanced(dataset.of("train"), CALIBRATION_IMAGES))
    write_arrays(folder / "holdout.npz", dataset, balanced(dataset.of("test"), HOLDOUT_IMAGES))
    (folder / "samples").mkdir()
    write_samples(folder / "samples", dataset.of("test"), dataset.spec)
    (folder / "plots").mkdir()
    write_plots(folder / "plots", trained.phases, evaluation, calibration)
    write_history(folder / "history.csv", trained.phases)
    write_split(folder / "split.csv", dataset)
    write_baseline(folder / BASELINE_NAME, dataset, recognition)
    if recognition.familiarity:
        recognition.familiarity.write(folder / "familiarity.npz")
        # The limit of a quantized file is placed on photographs that the familiarity was not fitted to.
        write_arrays(folder / "validation.npz", dataset, balanced(dataset.of("validation"), CALIBRATION_IMAGES))
        scene = next(draw_scenes(1, SCENE_SEED))
        scene.resize((scene.width // 2, scene.height // 2)).save(folder / "samples" / UNFAMILIAR_SAMPLE, quality=90)
        np.savez_compressed(folder / "unfamiliar.npz", pixels=recognition.unfamiliar)
    result = metrics(dataset, journal, trained, evaluation, calibration, wall_s)
    write_json(folder / "metrics.json", {**result, "familiarity": recognition.to_json()})


def write_arrays(path: Path, dataset: Dataset, photos: Sequence[Photo]) -> None:
    """Write photographs as .npz.

    `pixels`, uint8 of shape (N, H, W, 3); `labels`, their int64 class indices; `keys`, the first 8 bytes of the SHA-256
    of each one's file, uint64.
    """
    rows = np.array([photo.row for photo in photos], np.int64)
    keys = keys_of(photo.sha256 for photo in photos)
    np.savez_compressed(path, pixels=take(dataset.pixels, rows), labels=dataset.targets(photos), keys=keys)


def write_history(path: Path, phases: Iterable[Phase]) -> None:
    """Write a CSV with one row per epoch."""
    _write_csv(path, Epoch._fields, [row for phase in phases for row in phase.epochs])


def write_split(path: Path, dataset: Dataset) -> None:
    """Write a CSV with one row per file.

    Path, label, split, sha256; a file that is left out has only path and problem.
    """
    used: list[tuple[str, ...]] = [
        (photo.file.name, photo.file.label, photo.split, photo.sha256, "") for photo in dataset.photos
    ]
    left_out: list[tuple[str, ...]] = [(problem.path, "", "", "", problem.reason) for problem in dataset.problems]
    _write_csv(path, ("path", "label", "split", "sha256", "problem"), used + left_out)


def metrics(
    dataset: Dataset,
    journal: Journal,
    trained: TrainingResult,
    evaluation: Evaluation,
    calibration: Calibration,
    wall_s: float,
) -> dict[str, Any]:
    """Return the result, and everything that decided it, as a JSON object."""
    return {
        "arguments": asdict(journal.options),
        "seed": journal.options.seed,
        "versions": versions(),
        "parameters": trained.model.count_params(),
        "devices": trained.devices,
        "machine": {"platform": platform.platform(), "cpus": os.cpu_count()},
        "weights_sha256": digest_of(journal.options.weights),
        "wall_s": round(wall_s, 2),
        "interrupted": any(phase.interrupted for phase in trained.phases),
        "data": {
            "folder": journal.data,
            "more_folders": list(journal.more),
            "fingerprint": dataset.fingerprint(),
            "photographs": len(dataset.photos),
            "left_out": len(dataset.problems),
            "splits": {split: _counts(dataset, split) for split in SPLITS},
        },
        "phases": [
            {"epochs": len(phase.epochs), "best": phase.epochs[phase.best]._asdict()} for phase in trained.phases
        ],
        "test": evaluation.to_json(),
        "calibration": calibration.to_json(),
    }


def digest_of(weights: str) -> str:
    """Return the SHA-256 of a file of weights; empty for "imagenet", "none" and a file that no longer exists."""
    path = Path(weights)
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def read_spec(folder: Path) -> ModelSpec:
    """Read a RUN's spec. Raise TrainingError if the folder is not a RUN, SpecError if the spec is invalid."""
    if not folder.is_dir():
        raise TrainingError(f"{folder}: no such RUN folder; edge-train train writes one")
    if (folder / FOLDER).is_dir() and not (folder / "model.keras").is_file():
        raise TrainingError(f"{folder}: is unfinished; continue it with: edge-train train --resume {folder}")
    for name in ("model.keras", "spec.json", "holdout.npz"):
        if not (folder / name).is_file():
            raise TrainingError(f"{folder}: contains no {name}, so it is not a RUN; edge-train train writes one")
    return ModelSpec.read(folder / "spec.json")


def read_holdout(folder: Path, spec: ModelSpec) -> Holdout:
    """Read a RUN's test photographs. Raise TrainingError if they do not match its spec."""
    path = folder / "holdout.npz"
    try:
        with np.load(path, allow_pickle=False) as arrays:
            pixels, targets = arrays["pixels"], arrays["labels"]
    except (OSError, ValueError, KeyError, EOFError) as problem:
        raise TrainingError(f"{path}: not readable ({problem}); train again") from None
    fits = pixels.dtype == np.uint8 and pixels.shape == (len(targets), spec.height, spec.width, 3)
    if not fits or not len(targets) or not (0 <= targets.min() <= targets.max() < len(spec.labels)):
        raise TrainingError(f"{path}: does not match spec.json next to it; train again")
    return Holdout(pixels, targets.astype(np.int64))


def _save_h5(model: Model, path: Path) -> None:
    log = logging.getLogger("absl")
    level = log.level
    log.setLevel(logging.ERROR)  # Keras warns that the format is old, which the user knows
    try:
        model.save(path)
    finally:
        log.setLevel(level)


def _counts(dataset: Dataset, split: Split) -> dict[str, int]:
    labels = Counter(photo.file.label for photo in dataset.of(split))
    return {label: labels[label] for label in dataset.spec.labels}


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
