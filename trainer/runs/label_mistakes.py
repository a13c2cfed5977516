"""Write label_mistakes.csv, the photographs of a RUN whose label is probably wrong."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from trainer.data.split import SPLITS
from trainer.runs.recognition import photos_of_split

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from trainer.data.dataset import Dataset
    from trainer.evaluation.label_mistakes import Suspicion

LABEL_MISTAKES = "label_mistakes.csv"


def write_label_mistakes(path: Path, dataset: Dataset, suspicions: Sequence[Suspicion]) -> None:
    """Write a CSV with one row per photograph, the most suspicious first: path, label, looks_like, probability.

    With corrected labels in the column `label`, or none for a photograph to leave out, it is a file for --corrections.
    """
    photos = [photo for split in SPLITS for photo in photos_of_split(dataset, split)]
    labels = dataset.spec.labels
    rows = [
        (photos[one.row].file.name, photos[one.row].file.label, labels[one.suggested], f"{one.probability:.3f}")
        for one in suspicions
    ]
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("path", "label", "looks_like", "probability"))
        writer.writerows(rows)
