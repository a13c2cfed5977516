"""Make the HTML page of `edge-train explore`."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from trainer.data.split import SPLITS
from trainer.images.augment import STANDARD, augment
from trainer.images.explore import spread, warnings
from trainer.images.samples import balanced
from trainer.pages.page import picture, render_page

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trainer.data.near_duplicates import Pair
    from trainer.images.augment import Limits
    from trainer.images.explore import Exploration

MAX_PER_CLASS = 24
MAX_PAIRS = 40
AUGMENTED_PHOTOS, VIEWS = 4, 7


class ShownPair(NamedTuple):
    """Two near-duplicates: their pictures as data: addresses, and a description of the pair."""

    first: str
    second: str
    description: str


class SizeRow(NamedTuple):
    """A quantity of the photographs' sizes: its name and its spread over the photographs."""

    name: str
    min: float
    median: float
    max: float


def render(seen: Exploration, limits: Limits | None = STANDARD) -> str:
    """Return the page.

    Args:
        seen: the description of the data folder.
        limits: the limits of the augmentation, whose effect is shown; None if there is no augmentation.

    """
    dataset = seen.dataset
    leaks = seen.leaks()
    others = [pair for pair in seen.pairs if pair not in leaks]
    return render_page(
        "exploration.html",
        name=", ".join(folder.name for folder in dataset.folders),
        photos=len(dataset.photos),
        warnings=warnings(seen),
        splits=SPLITS,
        counts=seen.counts(),
        largest_class=max(sum(splits.values()) for splits in seen.counts().values()),
        sizes=_sizes(seen),
        modes=Counter(size.mode for size in seen.sizes).most_common(),
        pair_groups=[
            ("Near-duplicates in different splits", _pairs(seen, leaks), len(leaks)),
            ("Near-duplicates in one split", _pairs(seen, others), len(others)),
        ],
        pairs=len(seen.pairs),
        leaks=len(leaks),
        problems=dataset.problems,
        classes=_pictures_by_class(seen),
        views=_augmented_views(seen, limits),
    )


def _sizes(seen: Exploration) -> list[SizeRow]:
    return [
        SizeRow("width, pixels", **spread([size.width for size in seen.sizes])),
        SizeRow("height, pixels", **spread([size.height for size in seen.sizes])),
        SizeRow("width / height", **spread([round(size.width / size.height, 2) for size in seen.sizes])),
    ]


def _pairs(seen: Exploration, pairs: Sequence[Pair]) -> list[ShownPair]:
    dataset = seen.dataset
    return [
        ShownPair(
            picture(dataset.pixels[dataset.photos[pair.first].row]),
            picture(dataset.pixels[dataset.photos[pair.second].row]),
            seen.describe_pair(pair),
        )
        for pair in pairs[:MAX_PAIRS]
    ]


def _pictures_by_class(seen: Exploration) -> dict[str, list[str]]:
    """Return pictures of each class as data: addresses."""
    dataset = seen.dataset
    return {
        label: [
            picture(dataset.pixels[photo.row])
            for photo in balanced([photo for photo in dataset.photos if photo.file.label == label], MAX_PER_CLASS)
        ]
        for label in dataset.spec.labels
    }


def _augmented_views(seen: Exploration, limits: Limits | None) -> list[list[str]]:
    """Return, for some training photographs, the picture and then its augmented views, as data: addresses."""
    if limits is None:
        return []
    rows = []
    for photo in balanced(seen.dataset.of("train"), AUGMENTED_PHOTOS):
        pixels = seen.dataset.pixels[photo.row]
        views = augment(pixels[None].repeat(VIEWS, axis=0), (0, photo.row), limits)
        rows.append([picture(view) for view in (pixels, *views)])
    return rows
