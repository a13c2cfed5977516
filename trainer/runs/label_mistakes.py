"""Write and read the photographs of a RUN whose label is probably wrong: label_mistakes.csv and their pictures."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image

from trainer.data.split import SPLITS
from trainer.evaluation.label_mistakes import find_label_mistakes
from trainer.progress import log
from trainer.runs.recognition import photos_of_split

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from edge_runtime.image.preprocess import Pixels
    from trainer.data.split import Split
    from trainer.images.dataset import Dataset
    from trainer.runs.recognition import Features

LABEL_MISTAKES = "label_mistakes.csv"
PICTURES = "label_mistakes"  # the folder
COLUMNS = ("path", "label", "looks_like", "probability", "picture")
MOST_PICTURES = 48
JPEG_QUALITY = 90


class LabelMistake(NamedTuple):
    """A photograph whose label is probably wrong.

    Attributes:
        path: relative to the data folder.
        label: its label.
        looks_like: the class that it looks like.
        probability: of that class, 0..1, by a model that was not trained on the photograph.
        pixels: uint8 of shape (H, W, 3), as the model sees it.

    """

    path: str
    label: str
    looks_like: str
    probability: float
    pixels: Pixels


def write_label_mistakes(folder: Path, dataset: Dataset, features: Mapping[Split, Features], seed: int) -> int:
    """Write label_mistakes.csv with one row per photograph, the most suspicious first, and pictures of the first ones.

    With corrected labels in the column `label`, or none for a photograph to leave out, it is a file for --corrections.

    Args:
        folder: the RUN.
        dataset: the photographs.
        features: of each split, from `features_of_split`.
        seed: of the division into folds.

    Returns:
        The number of rows.

    """
    photos = [photo for split in SPLITS for photo in photos_of_split(dataset, split)]
    joined = np.concatenate([features[split] for split in SPLITS])
    labels = dataset.spec.labels
    found = find_label_mistakes(joined, dataset.targets(photos), seed)
    if found:
        (folder / PICTURES).mkdir()
    rows = []
    for number, one in enumerate(found):
        photo, picture = photos[one.row], ""
        if number < MOST_PICTURES:
            picture = f"{PICTURES}/{number:02}.jpg"
            Image.fromarray(np.asarray(dataset.pixels[photo.row])).save(folder / picture, quality=JPEG_QUALITY)
        rows.append((photo.file.name, photo.file.label, labels[one.suggested], f"{one.probability:.3f}", picture))
    with (folder / LABEL_MISTAKES).open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows)
    return len(rows)


def read_label_mistakes(folder: Path) -> list[LabelMistake]:
    """Return the rows of label_mistakes.csv that have a picture and are not corrected yet.

    The file may have been edited: rows whose label is empty or the class that the photograph looks like are left out. A
    file that has lost its columns gives none, and a line on stderr.
    """
    path = folder / LABEL_MISTAKES
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            return [_mistake(folder, row) for row in csv.DictReader(stream) if _is_open(row)]
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, ValueError) as problem:
        log(f"{path}: is not shown on the page, because it cannot be read: {problem}")
        return []


def _is_open(row: Mapping[str, str]) -> bool:
    return bool(row.get("picture")) and row["label"] not in {"", row["looks_like"]}


def _mistake(folder: Path, row: Mapping[str, str]) -> LabelMistake:
    with Image.open(folder / PICTURES / row["picture"].rpartition("/")[2]) as image:
        pixels = np.asarray(image.convert("RGB"))
    return LabelMistake(row["path"], row["label"], row["looks_like"], float(row["probability"]), pixels)
