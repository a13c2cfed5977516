"""What is tried at the moment: a release in the shadow of the current model, or the current model on probation.

`edge-run update` writes trial.json, which `edge-run watch` and `serve` read. They write shadow.json, which
`edge-run update` reads. Each file is replaced as a whole.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from edge_runtime.storage.json_files import read_json, write_json
from edge_runtime.update.release import UpdateError

if TYPE_CHECKING:
    from pathlib import Path

TRIAL, SHADOW = "trial.json", "shadow.json"

Phase = Literal["shadow", "probation"]


@dataclass(frozen=True)
class Trial:
    """A release that is tried.

    Attributes:
        phase: "shadow": it runs on the live frames, and nothing of it is used; "probation": it decides, and is taken
            back if it fails.
        folder: its name among the versions.
        channel: its channel.
        version: its number.
        since: when the phase began, in seconds since the epoch.
        until: when it ends.
        max_ms: the longest median inference time in milliseconds; None if there is no limit.
        share: the largest share of one processor that the shadow may use, 0..1.

    """

    phase: Phase
    folder: str
    channel: str
    version: int
    since: float
    until: float
    max_ms: float | None
    share: float = 0.1


@dataclass(frozen=True)
class ShadowReport:
    """What a release did in the shadow of the current model.

    Attributes:
        folder: its name among the versions.
        frames: number of frames that both models classified.
        agreed: number of them with the same label.
        comparable: number of them whose label of the current model the release knows.
        inference_ms: median inference time of the release in milliseconds; 0 before the first frame.
        familiarity: mean familiarity that the release computed; None if it computes none.
        current_familiarity: the same for the current model.
        changes: how often each label became which other one, such as {"cat -> dog": 3}.
        problem: why it cannot run, in one line; empty if it runs.
        at: when this was written, in seconds since the epoch.

    """

    folder: str
    frames: int = 0
    agreed: int = 0
    comparable: int = 0
    inference_ms: float = 0.0
    familiarity: float | None = None
    current_familiarity: float | None = None
    changes: tuple[tuple[str, int], ...] = ()
    problem: str = ""
    at: float = 0.0

    @property
    def agreement(self) -> float:
        """Return the share of the comparable frames with the same label; 1 if there are none."""
        return self.agreed / self.comparable if self.comparable else 1.0


@dataclass(frozen=True)
class ShadowRules:
    """What a release must do in the shadow before it may decide.

    Attributes:
        min_frames: number of frames that both models must have classified.
        min_agreement: least share of the comparable frames with the same label, 0..1.
        max_familiarity_loss: how much less familiar the frames may be to the release, on average.

    """

    min_frames: int = 100
    min_agreement: float = 0.7
    max_familiarity_loss: float = 0.2


def judge(report: ShadowReport, rules: ShadowRules, max_ms: float | None) -> str:
    """Return why a release may not decide, in one line; an empty text if it may."""
    if report.problem:
        return f"shadow: {report.problem}"
    if report.frames < rules.min_frames:
        return f"shadow: only {report.frames} frames were compared; {rules.min_frames} are needed"
    if report.agreement < rules.min_agreement:
        most = "; ".join(f"{change}: {count}" for change, count in report.changes[:3])
        return (
            f"shadow: it agrees with the current model on {report.agreement:.1%} of {report.comparable} live frames; "
            f"{rules.min_agreement:.0%} are needed ({most})"
        )
    if max_ms is not None and report.inference_ms > max_ms:
        return f"shadow: one inference takes {report.inference_ms:.2f} ms; the limit is {max_ms:.2f} ms"
    if report.familiarity is not None and report.current_familiarity is not None:
        loss = report.current_familiarity - report.familiarity
        if loss > rules.max_familiarity_loss:
            return f"shadow: the live frames are less familiar to it than to the current model, by {loss:.2f}"
    return ""


def write_trial(models: Path, trial: Trial) -> None:
    """Begin a phase. What an earlier one has left is removed first, so that it is not read as this one's."""
    (models / SHADOW).unlink(missing_ok=True)
    write_json(models / TRIAL, asdict(trial))


def read_trial(models: Path) -> Trial | None:
    """Return what is tried at the moment; None if nothing is. Raise UpdateError for a damaged file."""
    data = _read(models / TRIAL)
    try:
        return Trial(**data) if data else None
    except TypeError:
        raise UpdateError(f"{models / TRIAL}: of another version; remove the file") from None


def probation_of(models: Path, current: str | None) -> Trial | None:
    """Return the trial if the current version is on probation. Raise UpdateError for a damaged file."""
    trial = read_trial(models)
    return trial if trial and trial.phase == "probation" and trial.folder == current else None


def end_trial(models: Path) -> None:
    """End the phase."""
    for name in (TRIAL, SHADOW):
        (models / name).unlink(missing_ok=True)


def write_report(models: Path, report: ShadowReport) -> None:
    """Write what the shadow has found until now."""
    write_json(models / SHADOW, {**asdict(report), "changes": [list(change) for change in report.changes]})


def read_report(models: Path) -> ShadowReport | None:
    """Return what the shadow has found; None if no command runs it."""
    data = _read(models / SHADOW)
    if not data:
        return None
    return ShadowReport(**{**data, "changes": tuple((str(name), int(count)) for name, count in data["changes"])})


def _read(path: Path) -> dict[str, Any]:
    return read_json(path, UpdateError) if path.exists() else {}
