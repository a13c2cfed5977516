"""Find the images of --data, with their classes if they are sorted into folders."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import numpy as np

from edge_runtime.image.files import IMAGE_EXTENSIONS
from export.errors import ExportError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

SHOWN = 3  # names in a message


def find_images(folder: Path, labels: Sequence[str]) -> tuple[list[Path], NDArray[np.int64], bool]:
    """Find images in one folder per label, or images without labels directly in the folder.

    Args:
        folder: the data folder.
        labels: the model's labels, which are the names of the folders.

    Returns:
        Paths in a random order that is always the same, their class indices (zeros if they have no labels), and whether
        they have labels.

    Raises:
        ExportError: a folder with images has the name of no label, or there are fewer than two images.

    """
    if not folder.is_dir():
        raise ExportError(f"{folder}: no such folder of images; --data needs one, with one folder per label")
    groups = {child.name: images for child in sorted(folder.iterdir()) if child.is_dir() and (images := _images(child))}
    unknown = [name for name in groups if name not in labels]
    if unknown:
        named, known = ", ".join(map(repr, unknown[:SHOWN])), ", ".join(map(repr, labels[:SHOWN]))
        raise ExportError(
            f"{folder}: folders of images have names that are not labels ({named}; the labels are {known}"
            f"{', …' if len(labels) > SHOWN else ''}); rename them; put images without labels directly into the folder"
        )
    found = [(path, labels.index(name)) for name, images in groups.items() for path in images]
    labelled = bool(found)
    if not labelled:
        found = [(path, 0) for path in _images(folder)]
    if len(found) < 2:
        raise ExportError(
            f"{folder}: {len(found)} images are too few; some are needed for calibration and others for the proof"
        )
    random.Random(0).shuffle(found)  # noqa: S311 - no secret
    return [path for path, _ in found], np.array([label for _, label in found], np.int64), labelled


def _images(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_EXTENSIONS and path.is_file())
