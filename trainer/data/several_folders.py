"""Read several data folders as one: such as the first photographs and those that cameras have added."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from trainer.data.layout import BACKGROUND, Layout, Problem, check_copies_by_case, scan
from trainer.errors import DataError
from trainer.progress import log

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def scan_all(folders: Sequence[Path]) -> Layout:
    """List the classes and files of one or more data folders.

    The names of the first folder's files are relative to it, as `scan` gives them; those of a further folder begin with
    its own name, or that name and a number if it is used already. So names stay as they are when folders are added.

    Args:
        folders: at least one, each as `scan` takes it. Together they have at least two classes; one folder may have
            only some of them.

    Raises:
        DataError: as `scan`; or a folder is given twice or is inside of another one.

    """
    if len(folders) == 1:
        return scan(folders[0])
    _check_apart(folders)
    layouts = [scan(folder, is_one_of_several=True) for folder in folders]
    joined = Layout(tuple(folders), _labels(layouts), (), ())
    used = {BACKGROUND, *(file.name.split("/")[0] for file in layouts[0].files)}
    for index, layout in enumerate(layouts):
        named = _renamed(layout, _prefix(folders[index], used)) if index else layout
        joined = replace(joined, files=joined.files + named.files, problems=joined.problems + named.problems)
    return joined


def _labels(layouts: Sequence[Layout]) -> tuple[str, ...]:
    counts = Counter(label for layout in layouts for label in layout.labels)
    labels, where = sorted(counts), ", ".join(layout.where for layout in layouts)
    check_copies_by_case(where, labels)
    if len(labels) < 2:
        raise DataError(f"{where}: contain photographs of {labels or 'no class'}; a classifier needs at least two")
    for layout in layouts:
        if missing := [label for label in labels if label not in layout.labels]:
            log(f"{layout.where}: has no photographs of {', '.join(missing)}")
    return tuple(labels)


def _prefix(folder: Path, used: set[str]) -> str:
    """Return a name for a folder that is not used yet, and mark it as used."""
    name = folder.resolve().name or "data"
    number, prefix = 1, name
    while prefix in used:
        number += 1
        prefix = f"{name}-{number}"
    used.add(prefix)
    return prefix


def _renamed(layout: Layout, prefix: str) -> Layout:
    return replace(
        layout,
        files=tuple(replace(file, name=f"{prefix}/{file.name}") for file in layout.files),
        problems=tuple(Problem(f"{prefix}/{problem.path}", problem.reason) for problem in layout.problems),
    )


def _check_apart(folders: Sequence[Path]) -> None:
    """Raise DataError if photographs would be found twice."""
    places = [folder.resolve() for folder in folders]
    for index, place in enumerate(places):
        for earlier, other in zip(folders, places[:index], strict=False):
            if place == other:
                raise DataError(f"{folders[index]}: is the same folder as {earlier}; name it once")
            if other in place.parents or place in other.parents:
                raise DataError(f"{folders[index]}: is inside of {earlier}, or contains it; move one of them")
