"""Images that belong to no class: photographs of an installed package, and those of a folder.

They measure whether a model recognizes what it was not trained on. They are never used for training.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from edge_runtime.errors import SourceError
from edge_runtime.image.preprocess import preprocess

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge_runtime.image.preprocess import Pixels
    from edge_runtime.model.spec import ModelSpec

# scikit-image's photographs; its cat is left out, because "cat" is a common class.
PACKAGE, LEFT_OUT = "skimage", frozenset({"chelsea.png"})
PICTURES = frozenset({".png", ".jpg", ".jpeg"})


def package_pixels(spec: ModelSpec) -> Pixels | None:
    """Return the photographs that scikit-image contains, and quarters of them, as model input; None without it."""
    found = find_spec(PACKAGE)
    if found is None or not found.origin:
        return None
    images = [path for path in pictures_in(Path(found.origin).parent / "data") if path.name not in LEFT_OUT]
    inputs = [preprocess(view, spec) for path in images for view in _views(path)]
    return np.stack(inputs) if inputs else None


def folder_pixels(folder: Path, spec: ModelSpec) -> Pixels | None:
    """Return the readable images of a folder and its sub-folders as model input; None if there are none."""
    inputs = []
    for path in pictures_in(folder):
        try:
            inputs.append(preprocess(path, spec))
        except SourceError:
            continue
    return np.stack(inputs) if inputs else None


def pictures_in(folder: Path) -> list[Path]:
    """Return the images of a folder and its sub-folders, without hidden ones, sorted by name."""
    found = []
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(parent, name) for name in sorted(names) if Path(name).suffix.lower() in PICTURES]
    return [path for path in found if path.is_file() and not path.name.startswith(".")]


def _views(path: Path) -> Iterator[Image.Image]:
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    width, height = image.size
    yield image
    for left in (0, width // 2):
        for top in (0, height // 2):
            yield image.crop((left, top, left + width // 2, top + height // 2))
