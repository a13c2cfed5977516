"""Write how the training photographs look, with which a device compares what its camera sees."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from edge_runtime.drift.baseline import fit_baseline
from edge_runtime.storage.json_files import write_json
from trainer.images.paging import take
from trainer.images.samples import balanced

if TYPE_CHECKING:
    from pathlib import Path

    from trainer.images.dataset import Dataset
    from trainer.runs.recognition import Recognition

MOST_PHOTOGRAPHS = 1000  # more do not change the quantiles


def write_baseline(path: Path, dataset: Dataset, recognition: Recognition) -> None:
    """Write drift.json; nothing if there are too few training photographs.

    Args:
        path: the file.
        dataset: the photographs.
        recognition: what the model recognizes as familiar.

    """
    photos = dataset.of("train")
    counts = Counter(photo.file.label for photo in photos)
    pictures = (take(dataset.pixels, np.array([photo.row]))[0] for photo in balanced(photos, MOST_PHOTOGRAPHS))
    classes = {label: counts[label] / len(photos) for label in dataset.spec.labels}
    baseline = fit_baseline(pictures, classes, 1 - recognition.kept if recognition.familiarity else None)
    if baseline is not None:
        write_json(path, baseline.to_json())
