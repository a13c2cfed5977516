"""The report of `edge-train explore`, as one HTML page."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from trainer.data.augment import STANDARD, augment
from trainer.data.explore import spread, warnings
from trainer.data.samples import balanced
from trainer.data.split import SPLITS
from trainer.evaluation.plots import class_distribution
from trainer.pages.page import figure, page, paragraph, section, sheet, table

if TYPE_CHECKING:
    import numpy as np

    from trainer.data.augment import Limits
    from trainer.data.explore import Exploration

SHOWN, COLUMNS, VIEWS, PAIRS = 24, 8, 7, 40


def render(seen: Exploration, limits: Limits | None = STANDARD) -> str:
    """Give the page; `limits` are those of the augmentation that it shows."""
    dataset = seen.dataset
    doubts = warnings(seen)
    parts = [paragraph(f"{len(dataset.photos)} photographs of {len(dataset.spec.labels)} classes.")]
    parts += [paragraph(text, "warning") for text in doubts] or [paragraph("Nothing is doubtful.")]
    parts += [_classes(seen), _sizes(seen), *_alike(seen), _left_out(seen), *_sheets(seen), _views(seen, limits)]
    return page(f"Data: {dataset.folder.name}", [part for part in parts if part])


def _classes(seen: Exploration) -> str:
    counts = seen.counts()
    rows = [(label, *(splits[split] for split in SPLITS), sum(splits.values())) for label, splits in counts.items()]
    chart = figure(class_distribution(counts), "Photographs of each class")
    return section("Classes", table(("class", *SPLITS, "all"), rows), chart)


def _sizes(seen: Exploration) -> str:
    kinds: dict[str, list[float] | list[int]] = {
        "width": [size.width for size in seen.sizes],
        "height": [size.height for size in seen.sizes],
        "aspect ratio": [round(size.width / size.height, 2) for size in seen.sizes],
    }
    rows = [(name, *spread(values).values()) for name, values in kinds.items()]
    modes = Counter(size.mode for size in seen.sizes)
    told = ", ".join(f"{count} {mode}" for mode, count in modes.most_common())
    return section("Sizes", table(("pixels", "least", "middle", "greatest"), rows), paragraph(f"Colour modes: {told}."))


def _alike(seen: Exploration) -> list[str]:
    parts = []
    for heading, pairs in (("Alike, in different splits", seen.leaks()), ("Alike", list(seen.pairs))):
        if pairs:
            photos = seen.dataset.photos
            chosen = [photos[at] for pair in pairs[: PAIRS // 2] for at in (pair.first, pair.second)]
            pictures = sheet([seen.dataset.pixels[photo.row] for photo in chosen], COLUMNS)
            lines = [(seen.describe_pair(pair),) for pair in pairs[:PAIRS]]
            more = [paragraph(f"and {len(pairs) - PAIRS} more; --csv lists all")] if len(pairs) > PAIRS else []
            parts.append(section(heading, figure(pictures, "The first pairs"), table(("pair",), lines), *more))
    return parts


def _left_out(seen: Exploration) -> str:
    rows = [(problem.path, problem.reason) for problem in seen.dataset.problems]
    return section("Files left out", table(("file", "why"), rows)) if rows else ""


def _sheets(seen: Exploration) -> list[str]:
    dataset = seen.dataset
    parts = []
    for label in dataset.spec.labels:
        chosen = balanced([photo for photo in dataset.photos if photo.file.label == label], SHOWN)
        pictures = sheet([dataset.pixels[photo.row] for photo in chosen], COLUMNS)
        parts.append(section(f"Class {label}", figure(pictures, f"{len(chosen)} photographs of {label}")))
    return parts


def _views(seen: Exploration, limits: Limits | None) -> str:
    if limits is None:
        return ""
    dataset = seen.dataset
    pictures: list[np.ndarray] = []  # type: ignore[type-arg] # uint8 pixels
    for photo in balanced(dataset.of("train"), 4):
        pixels = dataset.pixels[photo.row]
        pictures += [pixels, *augment(pixels[None].repeat(VIEWS, axis=0), (0, photo.row), limits)]
    return section(
        "What training will see", figure(sheet(pictures, 1 + VIEWS), "Photographs and their augmented views")
    )
