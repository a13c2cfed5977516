"""Describe a data folder before training on it."""

from __future__ import annotations

import csv
import io
from collections import Counter
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from PIL import Image

from edge_runtime.image.preprocess import FORMATS
from edge_runtime.storage.json_files import write_text
from trainer.data.near_duplicates import Pair, is_same_picture, near_pairs, perceptual_hash
from trainer.data.split import SPLITS
from trainer.errors import DataError
from trainer.images.paging import take
from trainer.progress import tracked

if TYPE_CHECKING:
    from pathlib import Path

    from edge_runtime.image.preprocess import Pixels
    from trainer.images.dataset import Dataset, Photo

FEW = 50  # of a class; with fewer, about ten remain for the test, too few to measure an accuracy
IMBALANCE = 1.5
SMALL_SHARE = 0.1


class Size(NamedTuple):
    """A photograph's width and height in pixels, and Pillow's colour mode, from its file."""

    width: int
    height: int
    mode: str


@dataclass(frozen=True)
class Exploration:
    """A description of a data folder.

    Attributes:
        dataset: its photographs, split as for training.
        sizes: of each photograph, in the dataset's order.
        pairs: near-duplicates; positions in the dataset's photographs.

    """

    dataset: Dataset
    sizes: tuple[Size, ...]
    pairs: tuple[Pair, ...]

    def counts(self) -> dict[str, dict[str, int]]:
        """Return the number of photographs of each class in each split."""
        kept = Counter((photo.file.label, photo.split) for photo in self.dataset.photos)
        return {label: {split: kept[label, split] for split in SPLITS} for label in self.dataset.spec.labels}

    def leaks(self) -> list[Pair]:
        """Return the pairs of which one is used for training and the other for validation or test."""
        return [pair for pair in self.pairs if self._photo(pair.first).split != self._photo(pair.second).split]

    def contradictions(self) -> list[Pair]:
        """Return the pairs whose classes differ."""
        return [
            pair for pair in self.pairs if self._photo(pair.first).file.label != self._photo(pair.second).file.label
        ]

    def describe_pair(self, pair: Pair) -> str:
        """Describe a pair in one line."""
        first, second = self._photo(pair.first), self._photo(pair.second)
        return f"{first.file.name} ({first.split}) and {second.file.name} ({second.split}), {pair.distance} bits apart"

    def _photo(self, at: int) -> Photo:
        return self.dataset.photos[at]

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        return {
            "images": len(self.dataset.photos),
            "classes": self.counts(),
            "left_out": [
                problem._asdict() if hasattr(problem, "_asdict") else vars(problem) for problem in self.dataset.problems
            ],
            "width": spread([size.width for size in self.sizes]),
            "height": spread([size.height for size in self.sizes]),
            "aspect_ratio": spread([size.width / size.height for size in self.sizes]),
            "modes": dict(Counter(size.mode for size in self.sizes)),
            "near_duplicates": [self.describe_pair(pair) for pair in self.pairs],
            "leaks": [self.describe_pair(pair) for pair in self.leaks()],
            "warnings": warnings(self),
        }


def explore(dataset: Dataset) -> Exploration:
    """Explore a dataset's photographs: sizes from their files, near-duplicates from their pixels."""
    photos = tracked(dataset.photos, len(dataset.photos), f"comparing {len(dataset.photos)} photographs")
    hashes = [perceptual_hash(_pixels(dataset, photo)) for photo in photos]
    pairs = [
        pair
        for pair in near_pairs(hashes)
        if is_same_picture(*(_pixels(dataset, dataset.photos[at]) for at in (pair.first, pair.second)))
    ]
    return Exploration(dataset, tuple(_size(photo) for photo in dataset.photos), tuple(pairs))


def _pixels(dataset: Dataset, photo: Photo) -> Pixels:
    pixels: Pixels = take(dataset.pixels, np.array([photo.row]))[0]
    return pixels


def warnings(seen: Exploration) -> list[str]:
    """Return the possible problems of the data, and what to do about each."""
    totals = {label: sum(splits.values()) for label, splits in seen.counts().items()}
    rarest, commonest = min(totals, key=lambda label: totals[label]), max(totals, key=lambda label: totals[label])
    found = [
        f"class {label!r} has only {count} photographs; add some: at least {FEW} are needed to train and to measure"
        for label, count in totals.items()
        if count < FEW
    ]
    if totals[commonest] > IMBALANCE * totals[rarest]:
        ratio = totals[commonest] / totals[rarest]
        found.append(
            f"{commonest!r} has {ratio:.1f} times as many photographs as {rarest!r}; training gives rare classes a "
            f"larger weight (--class-weights off disables it); more photographs of {rarest!r} are better"
        )
    if seen.dataset.problems:
        found.append(f"{len(seen.dataset.problems)} files are left out, for the reasons given; fix or remove them")
    if seen.leaks():
        found.append(
            f"{len(seen.leaks())} pairs of near-duplicates are in different splits, so the test accuracy is too high; "
            "remove one of each pair"
        )
    if seen.contradictions():
        found.append(
            f"{len(seen.contradictions())} pairs of near-duplicates have different classes; check their labels"
        )
    side = min(seen.dataset.spec.height, seen.dataset.spec.width)
    small = sum(min(size.width, size.height) < side for size in seen.sizes)
    if small > SMALL_SHARE * len(seen.sizes):
        found.append(f"{small} photographs are smaller than the model's {side} pixels; pass a smaller --image-size")
    return found


def spread(values: list[float] | list[int]) -> dict[str, float]:
    """Return the minimum, the median and the maximum of values, at least one."""
    return {"min": round(min(values), 3), "median": round(median(values), 3), "max": round(max(values), 3)}


def write_table(path: Path, seen: Exploration) -> None:
    """Write one CSV row for every file. Raise DataError if it cannot be written."""
    alike: dict[int, str] = {}
    for pair in seen.pairs:
        alike.setdefault(pair.second, seen.dataset.photos[pair.first].file.name)
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(("path", "label", "split", "width", "height", "mode", "sha256", "looks_like", "problem"))
    for at, (photo, size) in enumerate(zip(seen.dataset.photos, seen.sizes, strict=True)):
        writer.writerow((photo.file.name, photo.file.label, photo.split, *size, photo.sha256, alike.get(at, ""), ""))
    for problem in seen.dataset.problems:
        writer.writerow((problem.path, *[""] * 7, problem.reason))
    write_whole(path, stream.getvalue())


def write_whole(path: Path, text: str) -> None:
    """Write a text file completely or not at all. Raise DataError if it cannot be written."""
    try:
        write_text(path, text)
    except OSError as problem:
        raise DataError(f"{path}: cannot be written: {problem.strerror}; choose another place") from None


def _size(photo: Photo) -> Size:
    try:
        with Image.open(photo.file.path, formats=FORMATS) as image:
            return Size(*image.size, image.mode)
    except OSError:
        raise DataError(f"{photo.file.path}: changed while the folder was read; explore again") from None
