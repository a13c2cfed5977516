"""Find photographs that none of several RUNs has learnt from."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from edge_runtime.storage.json_files import read_json
from trainer.data.bursts import burst_of
from trainer.data.layout import with_background
from trainer.data.several_folders import scan_all
from trainer.errors import DataError, TrainingError
from trainer.images.pixels import decode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_runtime.image.preprocess import Pixels
    from edge_runtime.model.spec import ModelSpec
    from trainer.data.layout import Found

LEARNT_FROM = ("train", "validation")  # the validation photographs choose the epoch and calibrate the probabilities


class Row(NamedTuple):
    """A used photograph in a RUN's split.csv: its name, its label, its split and the SHA-256 of its bytes."""

    name: str
    label: str
    split: str
    sha256: str


@dataclass(frozen=True)
class Unseen:
    """Photographs that none of the RUNs has learnt from.

    Attributes:
        files: their files, with the labels to compare with.
        pixels: as the spec demands, uint8 of shape (N, H, W, 3).
        left_out: the number of other photographs, by the reason.

    """

    files: tuple[Found, ...]
    pixels: Pixels
    left_out: dict[str, int]


def read_split(run: Path) -> list[Row]:
    """Read the used photographs of a RUN's split.csv. Raise TrainingError."""
    path = run / "split.csv"
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = [Row(row["path"], row["label"], row["split"], row["sha256"]) for row in csv.DictReader(stream)]
    except (OSError, UnicodeDecodeError, csv.Error, KeyError) as problem:
        raise TrainingError(f"{path}: not readable ({problem}); train again") from None
    return [row for row in rows if row.split]


def find_unseen(runs: Sequence[Path], folders: Sequence[Path], spec: ModelSpec, labels: Sequence[str]) -> Unseen:
    """Find the photographs on which all RUNs can be compared.

    A photograph is left out if any of the RUNs used it, or another frame of its burst, for training or validation.

    Args:
        runs: the RUNs; of a photograph whose label differs, the last one's label counts.
        folders: where to look for photographs; empty for the test photographs of all RUNs.
        spec: of the pixels.
        labels: the classes; photographs of others are left out.

    Raises:
        DataError: a folder cannot be read, or no photograph is left.
        TrainingError: a RUN is damaged.

    """
    rows = [row for run in runs for row in read_split(run)]
    digests = {row.sha256 for row in rows if row.split in LEARNT_FROM}
    bursts = {burst_of(row.name) for row in rows if row.split in LEARNT_FROM} - {None}
    found = dict.fromkeys(scan_all(folders).files, "") if folders else _test_photographs(runs)
    decoded = decode(list(found), spec)
    kept: dict[str, int] = {}
    left_out: Counter[str] = Counter()
    for at, (file, wanted) in enumerate(found.items()):
        digest = decoded.digests[at]
        if decoded.reasons[at] or (wanted and digest != wanted):
            left_out["changed or not readable"] += 1
        elif digest in digests:
            left_out["used for training or validation"] += 1
        elif burst_of(file.name) in bursts:
            left_out["another frame of the burst was used for training or validation"] += 1
        elif file.label not in labels:
            left_out["of a class that only one of the models knows"] += 1
        elif digest in kept:
            left_out["duplicates"] += 1
        else:
            kept[digest] = at
    if not kept:
        reasons = "; ".join(f"{count} {reason}" for reason, count in left_out.items()) or "there are none"
        raise DataError(f"no photograph is left to compare on ({reasons}); pass --data DIR with new photographs")
    files = list(found)
    return Unseen(tuple(files[at] for at in kept.values()), decoded.pixels[list(kept.values())], dict(left_out))


def _test_photographs(runs: Sequence[Path]) -> dict[Found, str]:
    """Return the files of the RUNs' test photographs with their digests; the last RUN's label counts."""
    tests: dict[str, Found] = {}
    for run in runs:
        files = _files_of(run)
        for row in read_split(run):
            if row.split == "test" and row.name in files:
                tests[row.sha256] = replace(files[row.name], label=row.label)
    return {file: digest for digest, file in tests.items()}


def _files_of(run: Path) -> dict[str, Found]:
    """Return the files in the data folders of a RUN by their names. Raise DataError if a folder is not there."""
    metrics = read_json(run / "metrics.json", TrainingError)
    data: dict[str, Any] = metrics.get("data", {})
    background = metrics.get("arguments", {}).get("background", "")
    folders = [Path(folder) for folder in (data.get("folder", ""), *data.get("more_folders", ()))]
    for folder in (*folders, *([Path(background)] if background else ())):
        if not folder.is_dir():
            raise DataError(
                f"{folder}: the photographs of {run} are no longer there; pass --data DIR with labelled photographs"
            )
    layout = scan_all(folders)
    layout = with_background(layout, Path(background)) if background else layout
    return {file.name: file for file in layout.files}
