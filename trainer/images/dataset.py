"""The photographs for training: checked, without duplicates, split, as arrays."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trainer.data.bursts import divided_bursts, group_of
from trainer.data.layout import Found, Layout, Problem
from trainer.data.parts import PARTS, Part
from trainer.data.split import SPLITS, Fractions, Split, split_class
from trainer.errors import DataError
from trainer.images.cache import cached_decode
from trainer.images.pixels import decode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from edge_runtime.image.preprocess import Pixels
    from edge_runtime.model.spec import ModelSpec

MIN_PER_CLASS = len(SPLITS)
KEPT_FIRST: tuple[Part, ...] = ("test", "validation", "train", "all")


@dataclass(frozen=True)
class Photo:
    """A usable photograph.

    Attributes:
        file: the file and its class.
        sha256: digest of the file's bytes.
        row: its row in the dataset's pixels.
        split: the split that uses it.

    """

    file: Found
    sha256: str
    row: int
    split: Split


@dataclass(frozen=True)
class Dataset:
    """A data folder, ready to train on.

    Attributes:
        folders: the data folders.
        spec: the spec of the pixels, with the labels.
        photos: the usable photographs, sorted by name.
        problems: the files that are left out.
        pixels: uint8 of shape (files, height, width, 3), 0..255; only the photos' rows are meaningful.

    """

    folders: tuple[Path, ...]
    spec: ModelSpec
    photos: tuple[Photo, ...]
    problems: tuple[Problem, ...]
    pixels: Pixels

    def of(self, split: Split) -> list[Photo]:
        """Return the photographs of one split, sorted by name."""
        return [photo for photo in self.photos if photo.split == split]

    def targets(self, photos: Iterable[Photo]) -> NDArray[np.int64]:
        """Return class indices, int64 of shape (photos,)."""
        numbers = {label: number for number, label in enumerate(self.spec.labels)}
        return np.array([numbers[photo.file.label] for photo in photos], np.int64)

    def fingerprint(self) -> str:
        """Return a SHA-256 that is equal for equal photographs, classes and splits, whatever their file names."""
        lines = sorted(f"{photo.sha256} {photo.split} {photo.file.label}" for photo in self.photos)
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def load(layout: Layout, spec: ModelSpec, fractions: Fractions, seed: int, cache: Path | None = None) -> Dataset:
    """Read, check and split the photographs of a data folder.

    Args:
        layout: what `scan` found.
        spec: input size, resize mode, and the layout's labels.
        fractions: the fractions of validation and test photographs.
        seed: of the split.
        cache: the folder of caches; None for no cache.

    Raises:
        DataError: a class has too few usable photographs.

    """
    decoded = cached_decode(layout.folders, layout.files, spec, cache) if cache else decode(layout.files, spec)
    digests = {file.name: digest for file, digest in zip(layout.files, decoded.digests, strict=True)}
    problems = [Problem(file.name, why) for file, why in zip(layout.files, decoded.reasons, strict=True) if why]
    usable = _without(layout.files, problems)
    problems += (repeated := repetitions(usable, digests))
    usable = _without(usable, repeated)
    groups = {file.name: group_of(file, digests[file.name]) for file in usable}
    problems += (leaks := divided_bursts(usable, groups))
    usable = _without(usable, leaks)
    splits = _splits(usable, groups, layout, fractions, seed)
    rows = {file.name: row for row, file in enumerate(layout.files)}
    photos = tuple(Photo(file, digests[file.name], rows[file.name], splits[file.name]) for file in usable)
    problems = sorted((*layout.problems, *problems), key=lambda problem: problem.path)
    return Dataset(layout.folders, spec, photos, tuple(problems), decoded.pixels)


def _without(files: Iterable[Found], problems: Iterable[Problem]) -> list[Found]:
    unusable = {problem.path for problem in problems}
    return [file for file in files if file.name not in unusable]


def repetitions(files: Iterable[Found], digests: dict[str, str]) -> list[Problem]:
    """Return the files to leave out because other files have the same bytes.

    Equal bytes in two classes contradict each other: none is kept. In two parts they are a leak: the test's are kept,
    before those of the validation. Otherwise the first by name is kept.

    Args:
        files: readable files.
        digests: each file's SHA-256 by its name.

    """
    same: defaultdict[str, list[Found]] = defaultdict(list)
    for file in sorted(files, key=lambda file: (KEPT_FIRST.index(file.part), file.name)):
        same[digests[file.name]].append(file)
    return [problem for group in same.values() if len(group) > 1 for problem in _repeated(group)]


def _repeated(group: list[Found]) -> list[Problem]:
    labels = sorted({file.label for file in group})
    if len(labels) > 1:
        reason = f"contradictory: the same photograph is in the classes {', '.join(labels)}; remove the wrong one"
        return [Problem(file.name, reason) for file in group]
    kept, *others = group
    return [
        Problem(file.name, f"{'a leak' if file.part != kept.part else 'a duplicate'}: the same bytes as {kept.name}")
        for file in others
    ]


def _splits(
    files: list[Found], groups: Mapping[str, str], layout: Layout, fractions: Fractions, seed: int
) -> dict[str, Split]:
    """Return the split of each file by its name.

    Files of one group, see `group_of`, have the same split, also if they have different classes.
    """
    splits: dict[str, Split] = {}
    classes: defaultdict[str, list[Found]] = defaultdict(list)
    parts: defaultdict[str, set[Part]] = defaultdict(set)
    for file in layout.files:
        parts[file.label].add(file.part)
    for file in files:
        classes[file.label].append(file)
    own_groups = {label: {groups[file.name] for file in classes[label]} for label in layout.labels}
    counts = Counter(group for own in own_groups.values() for group in own)
    from_train = {groups[file.name] for file in files if file.part == "train"}
    for label in layout.labels:
        own, given = classes[label], parts[label] - {"all"}
        _check_enough(own, groups, layout, label, given)
        try:
            chosen = split_class(
                {groups[file.name] for file in own if not held_out(file)},
                fractions,
                seed,
                fixed=[group for group in own_groups[label] if counts[group] > 1],
                from_train=from_train & own_groups[label],
                held_out=[split for split in SPLITS[1:] if any(split in every for every in parts.values())],
                filled=[split for split in SPLITS[1:] if split in given],
            )
        except ValueError:
            raise DataError(
                f"{layout.where}: class {label!r} shares most of its bursts with other classes, so training, "
                "validation and test cannot have one each; add photographs that were taken at other times"
            ) from None
        splits |= {file.name: held_out(file) or chosen[groups[file.name]] for file in own}
    return splits


def held_out(file: Found) -> Split | None:
    """Return the split to which a file's own part assigns it; None if it is chosen by its content."""
    return file.part if file.part in {"validation", "test"} else None


def _check_enough(files: list[Found], groups: Mapping[str, str], layout: Layout, label: str, given: set[Part]) -> None:
    """Raise DataError unless each split can get a photograph of the class, from its own part if that is given."""
    counts = Counter(file.part for file in files)
    wanted = MIN_PER_CLASS - len(given - {"train"})  # splits that are filled from train/, or from all
    free = {groups[file.name] for file in files if not held_out(file)}
    if len(free) >= wanted and all(counts[part] for part in given):
        return
    parts = ", ".join(f"{counts[part]} in {part}/" for part in PARTS if part in given)
    if counts["train"] + counts["all"] >= wanted and not parts:
        bursts = "one burst" if len(free) == 1 else f"{len(free)} bursts"
        raise DataError(
            f"{layout.where}: class {label!r} has {len(files)} usable photographs in {bursts}; training, validation "
            f"and test need one burst or single photograph each, {MIN_PER_CLASS} in total, because the frames of a "
            "burst look alike: add some that were taken at other times"
        )
    raise DataError(
        f"{layout.where}: class {label!r} has {len(files)} usable photographs{f' ({parts})' if parts else ''}; "
        f"training, validation and test need one each, {MIN_PER_CLASS} in total: add some"
    )
