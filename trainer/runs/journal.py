"""RUN/training: the settings of an unfinished run, from which it can be resumed. A completed run has no such folder."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from edge_runtime.storage.json_files import expect_keys, read_json, write_json
from trainer.errors import TrainingError
from trainer.options import OLD_AUGMENTATIONS, Options
from trainer.runs.versions import versions

FOLDER = "training"
JOURNAL_VERSION = 1
KEYS = ("version", "data", "options", "legacy_h5", "fingerprint", "versions")


@dataclass(frozen=True)
class Journal:
    """Everything that decides a run's result.

    Attributes:
        data: the data folder, as an absolute path.
        more: further data folders, as absolute paths.
        options: the settings.
        legacy_h5: whether model.h5 is written, too.
        fingerprint: of the photographs, classes and splits.
        versions: of the libraries when the run began.

    """

    data: str
    options: Options
    legacy_h5: bool
    fingerprint: str
    versions: dict[str, str]
    more: tuple[str, ...] = ()

    @property
    def folders(self) -> tuple[Path, ...]:
        """Return all data folders."""
        return tuple(map(Path, (self.data, *self.more)))


def begin(run: Path, journal: Journal) -> Path:
    """Create RUN/training and return it; replace an older one. Raise TrainingError if it cannot be written."""
    work = run / FOLDER
    try:
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        write_json(work / "job.json", {"version": JOURNAL_VERSION, **asdict(journal)})
    except OSError as problem:
        raise TrainingError(f"{run}: cannot be written: {problem.strerror or problem}; choose another place") from None
    return work


def read_journal(run: Path) -> Journal:
    """Read the settings of an unfinished run. Raise TrainingError if there is none, or it has another version."""
    path = run / FOLDER / "job.json"
    if not path.is_file():
        if (run / "metrics.json").is_file():
            raise TrainingError(f"{run}: is finished, there is nothing to resume; train again with --overwrite")
        raise TrainingError(f"{run}: contains no unfinished run; edge-train train DATA --out RUN begins one")
    data = read_json(path, TrainingError)
    if data.get("version") != JOURNAL_VERSION:
        found = data.get("version")
        raise TrainingError(
            f"{path}: version {found!r} is not {JOURNAL_VERSION}, which this version of edgewise can resume; "
            "train again with --overwrite"
        )
    expect_keys(data, KEYS, str(path), TrainingError, optional=["more"])
    # a run of an older version has none of them
    for name, value in {"keep": 0.0, "corrections": "", "cut": ""}.items():
        data["options"].setdefault(name, value)
    expect_keys(data["options"], [field.name for field in fields(Options)], str(path), TrainingError)
    if data["versions"].keys() != versions().keys():
        raise TrainingError(f"{path}: was written by another version of edgewise; train again with --overwrite")
    options = {
        **data["options"],
        "augment": OLD_AUGMENTATIONS.get(data["options"]["augment"], data["options"]["augment"]),
    }
    values = {key: data[key] for key in KEYS if key not in {"version", "options"}}
    return Journal(options=Options(**options), more=tuple(data.get("more", ())), **values)


def discard_if_empty(run: Path) -> None:
    """Remove RUN/training if no epoch was completed, and RUN if it is then empty."""
    work = run / FOLDER
    if any(work.glob("*.npz")):
        return
    shutil.rmtree(work, ignore_errors=True)
    if run.is_dir() and not any(run.iterdir()):
        run.rmdir()


def spent_s(run: Path) -> float:
    """Return the seconds that the completed epochs of an unfinished run took."""
    from trainer.fitting.checkpoint import read_state

    states = [read_state(path) for path in (run / FOLDER).glob("*.npz")]
    return float(sum(row["seconds"] for state in states if state for row in state.rows))


def changed_versions(journal: Journal) -> str:
    """Return the libraries that changed since the run began, as "numpy 1.26.4 -> 2.0.0"; empty if none did."""
    now = versions()
    changed = [f"{tool} {was} -> {now[tool]}" for tool, was in journal.versions.items() if was != now.get(tool)]
    return ", ".join(changed)
