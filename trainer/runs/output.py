"""Check that a RUN can be written, before any work is done for it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from edge_runtime.storage.publish import refuse_existing
from trainer.errors import TrainingError
from trainer.runs.journal import FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

ROOM_BYTES = 300 * 2**20  # the space that a RUN with its checkpoints may need


def check_output(folders: Iterable[Path], out: Path, *, overwrite: bool) -> None:
    """Raise TrainingError unless a RUN may be written at `out` and there is room for it."""
    try:
        for data in folders:
            check_place(data, out, overwrite=overwrite)
        check_room(out)
    except OSError as problem:  # such as a name that is too long
        raise TrainingError(f"{out}: cannot be written: {problem.strerror}; choose another place") from None


def check_place(data: Path, out: Path, *, overwrite: bool) -> None:
    """Raise TrainingError unless a RUN may be written at `out`."""
    if (out / FOLDER).is_dir() and not overwrite:
        raise TrainingError(f"{out}: contains an unfinished run; continue it with --resume {out}, or pass --overwrite")
    refuse_existing(out, overwrite=overwrite, error=TrainingError)
    if out.exists() and not is_run(out):
        raise TrainingError(f"{out}: exists and is not a RUN, so it is not overwritten; choose another place")
    inner, outer = out.resolve(), data.resolve()
    if inner == outer or outer in inner.parents or inner in outer.parents:
        raise TrainingError(
            f"{out}: is inside of the data folder {data} or contains it; choose another place for the RUN"
        )


def is_run(out: Path) -> bool:
    """Return whether a path is a RUN, finished or not, or an empty folder."""
    if (out / "metrics.json").is_file() or (out / FOLDER / "job.json").is_file():
        return True
    return out.is_dir() and not any(out.iterdir())


def check_room(out: Path) -> None:
    """Raise TrainingError if the disk has too little space for a RUN."""
    existing = next(folder for folder in (out.absolute(), *out.absolute().parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    if free < ROOM_BYTES:
        raise TrainingError(
            f"{out}: only {free // 2**20} MiB are free on its disk and a RUN may need {ROOM_BYTES // 2**20}; "
            "make room or choose another place"
        )
