"""Convert, measure and judge every artifact; climb the ladder where int8 fails."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NoReturn

from export.compat import DEFAULT_FLOORS, Floor, parse_floor
from export.conversion import convert
from export.errors import ParityError
from export.gate import Tolerances, failures, failures_elsewhere
from export.ladder import Rung, find_layers, refused, rungs
from export.measure import measure
from export.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from export.artifacts import ArtifactName
    from export.layers import LayerLoss
    from export.measure import Measured
    from export.source_model import SourceModel

INT8: ArtifactName = "int8.tflite"


@dataclass(frozen=True)
class Plan:
    """What to make and what it must reach.

    Attributes:
        names: the artifacts.
        tolerances: the gate's limits.
        settings: how the quantized files are made.
        floors: the oldest runtimes that the files must run in.
        jobs: how many processes convert at once; 0 converts in this process.
        ladder: whether a failing int8.tflite is replaced by a gentler form; else nothing is published.
        expendable: those of the names that are left out where they fail; else nothing is published.

    """

    names: Sequence[ArtifactName]
    tolerances: Tolerances = field(default_factory=Tolerances)
    settings: Settings = field(default_factory=Settings)
    floors: Sequence[Floor] = tuple(map(parse_floor, DEFAULT_FLOORS))
    jobs: int = 1
    ladder: bool = True
    expendable: Collection[ArtifactName] = ()


@dataclass(frozen=True)
class Proof:
    """What an export found.

    Attributes:
        reference: the trained model's probabilities on the held-out images, float32 (n_images, n_classes).
        measured: the artifacts that passed, in the order asked for, then what the ladder added.
        rungs: what the ladder tried; empty when int8 passed at once.
        losses: what int8 destroys in each layer, the worst first; empty when int8 passed at once.
        left_out: expendable artifacts that failed.

    """

    reference: NDArray[np.float32]
    measured: tuple[Measured, ...]
    rungs: tuple[Rung, ...] = ()
    losses: tuple[LayerLoss, ...] = ()
    left_out: tuple[Rung, ...] = ()


def prove(source: SourceModel, plan: Plan, folder: Path, tell: Callable[[str], None]) -> Proof:
    """Write and judge the artifacts; files that failed are removed.

    Raises:
        ExportError: a conversion fails or a runtime refuses a file.
        ParityError: an artifact fails that is not expendable, or int8 fails and so does every gentler form.

    """
    tell(f"running the trained model on {len(source.holdout)} held-out images")
    reference = source.probabilities(source.holdout)
    tell(f"converting to {', '.join(plan.names)}")
    candidates, unmade = convert(source, plan.names, folder, plan.settings, jobs=plan.jobs, expendable=plan.expendable)
    failed = {name: refused(name, name, reason) for name, reason in unmade.items()}
    passed: list[Measured] = []
    for candidate in candidates:
        tell(f"{candidate.name}: measuring")
        item = measure(candidate, source, reference, plan.floors)
        reasons = failed_checks(item, plan.tolerances, source.spec.labels)
        if reasons:
            failed[candidate.name] = _rung(candidate.name, item, reasons)
        else:
            passed.append(item)
    left_out = tuple(rung for name, rung in failed.items() if name in plan.expendable)
    needed = {name: rung for name, rung in failed.items() if name not in plan.expendable}
    climbs = set(needed) == {INT8} and plan.ladder
    if not climbs and (needed or not passed):
        _refuse([why for rung in failed.values() for why in rung.failures])
    for rung in left_out:
        tell(f"{rung.failures[0]}; it is left out of the bundle")
        (folder / f"model.{rung.artifact}").unlink(missing_ok=True)
    if not climbs:
        return Proof(reference, tuple(passed), left_out=left_out)
    return replace(_climb(source, plan, folder, tell, reference, passed, needed[INT8]), left_out=left_out)


def _climb(
    source: SourceModel,
    plan: Plan,
    folder: Path,
    tell: Callable[[str], None],
    reference: NDArray[np.float32],
    passed: list[Measured],
    first: Rung,
) -> Proof:
    """Try gentler forms until one passes; forms that were asked for and passed count as found, but int8 goes first."""
    tell(f"int8.tflite failed: {first.failures[0]}; looking for the layers that it hurts")
    losses = find_layers(source, folder, plan.settings, jobs=plan.jobs)
    tried, found = [first], None
    have = list(plan.names)
    for step in rungs(source, folder, plan.settings, losses, have, jobs=plan.jobs, tell=tell):
        if isinstance(step, Rung):
            tried.append(step)
            continue
        form, candidate = step
        item = measure(candidate, source, reference, plan.floors)
        reasons = failed_checks(item, plan.tolerances, source.spec.labels)
        tried.append(_rung(form, item, reasons))
        if not reasons:
            found = item
            break
        candidate.path.unlink()
    if found is None or found.candidate.name != INT8:
        (folder / f"model.{INT8}").unlink(missing_ok=True)
    if found is None and not passed:
        _refuse([why for rung in tried for why in rung.failures])
    return Proof(reference, tuple(passed + ([found] if found else [])), tuple(tried), tuple(losses))


def _rung(form: str, item: Measured, reasons: Sequence[str]) -> Rung:
    name = item.candidate.name
    return Rung(form, name, item.size_bytes, item.latency_ms, item.parity.accuracy, tuple(reasons))


def _refuse(reasons: Sequence[str]) -> NoReturn:
    raise ParityError("nothing is published, because " + "; ".join(dict.fromkeys(reasons)))


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
