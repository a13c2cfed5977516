"""The features of a RUN's photographs, from which `edge-train evaluate` measures the learning curve."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple
from zipfile import BadZipFile

import numpy as np

from trainer.data.split import SPLITS
from trainer.errors import TrainingError
from trainer.evaluation.learning_curve import LEAST_PER_CLASS, LearningCurve, learning_curve
from trainer.fitting.features import FLOAT16_MAX
from trainer.options import is_pretrained
from trainer.runs.recognition import photos_of_split

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from edge_runtime.model.spec import ModelSpec
    from trainer.data.split import Split
    from trainer.images.dataset import Dataset
    from trainer.runs.recognition import Features

FEATURES = "features.npz"
MOST_PHOTOGRAPHS = 5000  # 13 MB of 1,280 features; the curve of a larger set is not measured


class SavedFeatures(NamedTuple):
    """What features.npz contains.

    Attributes:
        features: of all photographs, float16 of shape (N, D).
        labels: class indices, int64 of shape (N,).
        splits: indices into SPLITS, int8 of shape (N,).

    """

    features: NDArray[np.float16]
    labels: NDArray[np.int64]
    splits: NDArray[np.int8]


def write_features(folder: Path, dataset: Dataset, features: Mapping[Split, Features]) -> None:
    """Write features.npz, unless there are more than MOST_PHOTOGRAPHS.

    Args:
        folder: the RUN.
        dataset: the photographs.
        features: of each split, from `features_of_split`; not trained on these photographs.

    """
    if len(dataset.photos) > MOST_PHOTOGRAPHS:
        return
    photos = {split: photos_of_split(dataset, split) for split in SPLITS}
    joined = np.concatenate([features[split] for split in SPLITS])
    np.savez(
        folder / FEATURES,
        features=np.clip(joined, -FLOAT16_MAX, FLOAT16_MAX).astype(np.float16),
        labels=np.concatenate([dataset.targets(photos[split]) for split in SPLITS]),
        splits=np.repeat(np.arange(len(SPLITS), dtype=np.int8), [len(photos[split]) for split in SPLITS]),
    )


def measure_learning_curve(folder: Path, spec: ModelSpec) -> LearningCurve | str:
    """Measure the learning curve of a RUN from its features; return the reason in one line if that is not possible.

    Raises:
        TrainingError: the features are damaged.

    """
    if not (folder / FEATURES).exists():
        return _why_none(folder)
    saved = _read(folder / FEATURES, spec)
    in_training = saved.splits == SPLITS.index("train")
    smallest = int(np.bincount(saved.labels[in_training], minlength=len(spec.labels)).min())
    if smallest < LEAST_PER_CLASS:
        return f"a class has only {smallest} training photographs; {LEAST_PER_CLASS} are needed"
    return learning_curve(
        saved.features,
        saved.labels,
        spec.labels,
        training=float(np.mean(in_training)),
        test=float(np.mean(saved.splits == SPLITS.index("test"))),
    )


def _read(path: Path, spec: ModelSpec) -> SavedFeatures:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            saved = SavedFeatures(*(arrays[name] for name in SavedFeatures._fields))
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as problem:
        raise TrainingError(f"{path}: not readable ({problem}); train again") from None
    count = len(saved.labels)
    fits = saved.features.ndim == len(("N", "D")) and len(saved.features) == len(saved.splits) == count > 0
    if not fits or not (0 <= saved.labels.min() <= saved.labels.max() < len(spec.labels)):
        raise TrainingError(f"{path}: does not match spec.json next to it; train again")
    return saved


def _why_none(folder: Path) -> str:
    """Return why a RUN has no features.npz."""
    try:
        found = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        arguments, photographs, phases = found["arguments"], found["data"]["photographs"], len(found["phases"])
    except (OSError, ValueError, KeyError, TypeError):
        return "this RUN has no features.npz; train again"
    if not is_pretrained(arguments["model"], arguments["weights"]):
        return "the features of this network were trained on the same photographs; use mobilenet_v2 with weights"
    if phases > 1:
        return "the network was fine-tuned on the same photographs; train with --fine-tune-layers 0 to measure it"
    if photographs > MOST_PHOTOGRAPHS:
        return f"there are more than {MOST_PHOTOGRAPHS:,} photographs"
    return "this RUN has no features.npz; train again"
