"""Choose the photographs that a RUN contains: a few encoded ones as samples, some preprocessed ones as arrays."""

from __future__ import annotations

import re
import shutil
from collections import defaultdict
from itertools import zip_longest
from typing import TYPE_CHECKING

from edge_runtime.image.preprocess import load_image

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from edge_runtime.model.spec import ModelSpec
    from trainer.images.dataset import Photo

SAMPLES = 12
LOSSLESS = {".png", ".bmp"}


def balanced(photos: Iterable[Photo], count: int) -> list[Photo]:
    """Choose up to `count` photographs, from the classes in turn, within a class in the order of their digests."""
    classes: defaultdict[str, list[Photo]] = defaultdict(list)
    for photo in sorted(photos, key=lambda photo: (photo.file.label, photo.sha256)):
        classes[photo.file.label].append(photo)
    turns = zip_longest(*classes.values())
    return [photo for turn in turns for photo in turn if photo is not None][:count]


def write_samples(folder: Path, photos: Iterable[Photo], spec: ModelSpec) -> None:
    """Copy a few photographs into an existing folder, named like 00-cat.jpg.

    At least one is lossless, so that a device's result can be compared without its JPEG decoder: if none is, the first
    is written as PNG.

    Args:
        folder: the destination.
        photos: to choose from; those whose files no longer exist are skipped.
        spec: gives the minimum size of a decoded photograph.

    """
    chosen = balanced((photo for photo in photos if photo.file.path.is_file()), SAMPLES)
    has_lossless = any(photo.file.path.suffix.lower() in LOSSLESS for photo in chosen)
    for index, photo in enumerate(chosen):
        stem = folder / f"{index:02}-{safe_name(photo.file.label)}"
        if index == 0 and not has_lossless:
            load_image(photo.file.path, spec).save(f"{stem}.png")
        else:
            shutil.copyfile(photo.file.path, f"{stem}{photo.file.path.suffix.lower()}")


def safe_name(label: str) -> str:
    """Return a label as ASCII letters, digits and dashes; "class" if nothing remains."""
    return re.sub(r"[^A-Za-z0-9]+", "-", label).strip("-")[:40] or "class"
