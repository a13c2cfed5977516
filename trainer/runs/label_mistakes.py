"""Write label_mistakes.csv, the photographs of a RUN whose label is probably wrong."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import numpy as np

from trainer.data.split import SPLITS
from trainer.evaluation.label_mistakes import find_label_mistakes
from trainer.runs.recognition import photos_of_split

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from trainer.data.split import Split
    from trainer.images.dataset import Dataset
    from trainer.runs.recognition import Features

LABEL_MISTAKES = "label_mistakes.csv"


def write_label_mistakes(path: Path, dataset: Dataset, features: Mapping[Split, Features], seed: int) -> int:
    """Write a CSV with one row per photograph, the most suspicious first: path, label, looks_like, probability.

    With corrected labels in the column `label`, or none for a photograph to leave out, it is a file for --corrections.

    Args:
        path: the file.
        dataset: the photographs.
        features: of each split, from `features_of_split`.
        seed: of the division into folds.

    Returns:
        The number of rows.

    """
    photos = [photo for split in SPLITS for photo in photos_of_split(dataset, split)]
    joined = np.concatenate([features[split] for split in SPLITS])
    labels = dataset.spec.labels
    rows = [
        (photos[one.row].file.name, photos[one.row].file.label, labels[one.suggested], f"{one.probability:.3f}")
        for one in find_label_mistakes(joined, dataset.targets(photos), seed)
    ]
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("path", "label", "looks_like", "probability"))
        writer.writerows(rows)
    return len(rows)
