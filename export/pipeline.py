"""From a model to a published bundle: convert, measure, gate, describe, and only then rename into place."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_runtime.bundle import MANIFEST_NAME
from edge_runtime.command import published_folder
from edge_runtime.jsonio import write_json, write_text
from export.compat import DEFAULT_FLOORS, Floor, parse_floor
from export.conversion import convert
from export.errors import ExportError, ParityError
from export.gate import Tolerances, failures, failures_elsewhere
from export.golden import write_golden
from export.manifest import manifest
from export.measure import measure
from export.report import report_json, write_report
from export.settings import Settings
from export.source_model import read_run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from export.artifacts import ArtifactName
    from export.measure import Measured
    from export.source_model import SourceModel


@dataclass(frozen=True)
class Plan:
    """What to make and what it must reach.

    Attributes:
        names: the artifacts.
        tolerances: the gate's limits.
        settings: how the quantized files are made.
        floors: the oldest runtimes that the files must run in.
        jobs: how many processes convert at once; 0 converts in this process.

    """

    names: Sequence[ArtifactName]
    tolerances: Tolerances = field(default_factory=Tolerances)
    settings: Settings = field(default_factory=Settings)
    floors: Sequence[Floor] = tuple(map(parse_floor, DEFAULT_FLOORS))
    jobs: int = 1


@dataclass(frozen=True)
class Exported:
    """A published bundle and what was measured on its way.

    Attributes:
        folder: the bundle.
        measured: one for each artifact, in the order asked for.

    """

    folder: Path
    measured: tuple[Measured, ...]


def export_run(
    run: Path, out: Path, plan: Plan, *, overwrite: bool = False, tell: Callable[[str], None] = lambda _: None
) -> Exported:
    """Export a run to a bundle; nothing is published unless every artifact passes.

    Args:
        run: the folder that `edge-train train` wrote.
        out: the bundle's folder.
        plan: what to make and what it must reach.
        overwrite: replace an older bundle, which stays whole until the new one is complete.
        tell: takes a line of progress.

    Raises:
        ExportError: the run is unreadable, a conversion fails, a runtime refuses a file, or `out` exists.
        ParityError: an artifact fails a check; the message says which tolerance would have passed.

    """
    with published_folder(out, overwrite=overwrite, error=ExportError) as staging:
        tell(f"reading {run}")
        source = read_run(run, calibration_images=plan.settings.calibration_images)
        return Exported(out, tuple(fill(staging, source, plan, tell)))


def fill(staging: Path, source: SourceModel, plan: Plan, tell: Callable[[str], None]) -> list[Measured]:
    """Make a whole bundle of a model in a folder that nobody reads yet. Raises as `export_run` does."""
    measured = _prove(source, plan, staging, tell)
    tell("writing golden vectors and the report")
    write_golden(source, [item.candidate for item in measured], staging)
    write_text(staging / "labels.txt", "".join(f"{label}\n" for label in source.spec.labels))
    write_json(staging / MANIFEST_NAME, manifest(source.spec, measured, staging))
    write_report(report_json(source, measured, plan.tolerances), staging)
    return measured


def _prove(source: SourceModel, plan: Plan, folder: Path, tell: Callable[[str], None]) -> list[Measured]:
    """Convert and measure every artifact; raise ParityError with all that failed."""
    tell(f"running the trained model on {len(source.holdout)} held-out images")
    reference = source.probabilities(source.holdout)
    tell(f"converting to {', '.join(plan.names)}")
    measured, failed = [], []
    for candidate in convert(source, plan.names, folder, plan.settings, jobs=plan.jobs):
        tell(f"{candidate.name}: measuring")
        item = measure(candidate, source, reference, plan.floors)
        measured.append(item)
        failed += failed_checks(item, plan.tolerances, source.spec.labels)
    if failed:
        raise ParityError("nothing is published, because " + "; ".join(failed))
    return measured


def failed_checks(item: Measured, tolerances: Tolerances, labels: Sequence[str]) -> list[str]:
    """Say which checks an artifact fails: its demands, its collapse, its own backend, the others."""
    name = item.candidate.name
    found = [f"{name}: {why} (another --min-runtime would take it)" for why in item.shortfalls]
    if item.collapse:
        found.append(f"{name}: collapsed, {item.collapse}")
    found += [f"{name}: {why}" for why in failures(item.candidate.precision, item.parity, tolerances, labels)]
    for runtime, parity in item.elsewhere.items():
        found += [f"{name} in {runtime}: {why}" for why in failures_elsewhere(parity, tolerances)]
    return found
