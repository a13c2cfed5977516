"""Correct labels, or leave photographs out, without changing the data folder."""

from __future__ import annotations

import csv
from dataclasses import replace
from typing import TYPE_CHECKING

from trainer.data.layout import Layout, Problem
from trainer.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = ("path", "label")
LEFT_OUT = "left out by --corrections"


def corrected(layout: Layout, file: Path) -> Layout:
    """Apply a CSV file of corrections to a data folder's files.

    Args:
        layout: what `scan` found.
        file: a CSV file with a header and the columns `path`, a file's name in the layout, and `label`: the right
            class, or empty to leave the photograph out. Other columns are ignored.

    Raises:
        DataError: the file cannot be read, or names a photograph or a class that does not exist.

    """
    rows = _read(file)
    known = {found.name for found in layout.files}
    labels: dict[str, str] = {}
    for number, (path, label) in enumerate(rows, start=2):
        if path not in known:
            raise DataError(f"{file}: line {number}: {path!r} is not a photograph in {layout.where}")
        if label and label not in layout.labels:
            raise DataError(f"{file}: line {number}: {label!r} is not a class; classes are {', '.join(layout.labels)}")
        if labels.setdefault(path, label) != label:
            raise DataError(f"{file}: line {number}: {path!r} has two different labels")
    kept = [found for found in layout.files if labels.get(found.name) != ""]
    files = tuple(replace(found, label=labels.get(found.name, found.label)) for found in kept)
    left_out = tuple(Problem(path, LEFT_OUT) for path, label in labels.items() if not label)
    return replace(layout, files=files, problems=(*layout.problems, *left_out))


def _read(file: Path) -> list[tuple[str, str]]:
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            if not set(COLUMNS) <= set(reader.fieldnames or ()):
                raise DataError(f"{file}: its first line must name the columns {' and '.join(COLUMNS)}")
            return [(row["path"] or "", (row["label"] or "").strip()) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as problem:
        raise DataError(f"{file}: cannot be read: {problem}") from None
