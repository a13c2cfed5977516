"""Convert, measure and judge every artifact; try other forms if int8 fails."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NoReturn

from export.convert.processes import convert
from export.errors import ExportError, ParityError
from export.proof.fallback import Attempt, fallbacks, find_layers, refused
from export.proof.familiar import familiar_failures
from export.proof.gate import failures, failures_elsewhere
from export.proof.measure import measure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from export.artifacts import ArtifactName
    from export.proof.gate import Tolerances
    from export.proof.layer_losses import LayerLoss
    from export.proof.measure import Measured
    from export.proof.plan import Plan
    from export.sources.source_model import SourceModel

INT8: ArtifactName = "int8.tflite"


@dataclass(frozen=True)
class Proof:
    """The results of an export.

    Attributes:
        reference: the trained model's probabilities for the held-out images, float32 (n_images, n_classes).
        measured: the artifacts that passed, in the given order, then the one that replaced int8, if any.
        attempts: the attempts to replace int8; empty if int8 passed.
        losses: each layer's loss in int8, in descending order; empty if int8 passed.
        left_out: expendable artifacts that failed.

    """

    reference: NDArray[np.float32]
    measured: tuple[Measured, ...]
    attempts: tuple[Attempt, ...] = ()
    losses: tuple[LayerLoss, ...] = ()
    left_out: tuple[Attempt, ...] = ()


def prove(source: SourceModel, plan: Plan, folder: Path, progress: Callable[[str], None]) -> Proof:
    """Write and judge the artifacts; files that failed are removed.

    Raises:
        ExportError: a conversion fails.
        ParityError: an artifact that is not expendable fails or is refused by a runtime, or int8 fails and so does
            every other form.

    """
    progress(f"running the trained model on {len(source.holdout)} held-out images")
    reference = source.probabilities(source.holdout)
    progress(f"converting to {', '.join(plan.names)}")
    candidates, unmade = convert(
        source, plan.names, folder, plan.settings, jobs=plan.jobs, expendable=plan.expendable, progress=progress
    )
    failed = {name: refused(name, name, reason) for name, reason in unmade.items()}
    passed: list[Measured] = []
    for number, candidate in enumerate(candidates, 1):
        progress(f"{candidate.name}: measuring ({number} of {len(candidates)})")
        try:
            item = measure(candidate, source, reference, plan.floors, progress)
        except ExportError as problem:  # a runtime that refuses a file, or crashes, is a failure of this file alone
            failed[candidate.name] = refused(candidate.name, candidate.name, problem)
            continue
        reasons = failed_checks(item, plan.tolerances, source.spec.labels)
        if reasons:
            failed[candidate.name] = _attempt(candidate.name, item, reasons)
        else:
            passed.append(item)
    left_out = tuple(attempt for name, attempt in failed.items() if name in plan.expendable)
    needed = {name: attempt for name, attempt in failed.items() if name not in plan.expendable}
    falls_back = set(needed) == {INT8} and plan.ladder
    if not falls_back and (needed or not passed):
        _refuse([why for attempt in failed.values() for why in attempt.failures])
    for attempt in left_out:
        progress(f"{attempt.failures[0]}; it is left out of the bundle")
        (folder / f"model.{attempt.artifact}").unlink(missing_ok=True)
    if not falls_back:
        return Proof(reference, tuple(passed), left_out=left_out)
    return replace(_fall_back(source, plan, folder, progress, reference, passed, needed[INT8]), left_out=left_out)


def _fall_back(
    source: SourceModel,
    plan: Plan,
    folder: Path,
    progress: Callable[[str], None],
    reference: NDArray[np.float32],
    passed: list[Measured],
    first: Attempt,
) -> Proof:
    """Try other forms of int8 until one passes."""
    progress(f"int8.tflite failed: {first.failures[0]}; looking for the layers that lose most")
    losses = find_layers(source, folder, plan.settings, jobs=plan.jobs)
    tried, found = [first], None
    have = list(plan.names)
    for step in fallbacks(source, folder, plan.settings, losses, have, jobs=plan.jobs, progress=progress):
        if isinstance(step, Attempt):
            tried.append(step)
            continue
        form, candidate = step
        try:
            item = measure(candidate, source, reference, plan.floors, progress)
        except ExportError as problem:
            tried.append(refused(form, candidate.name, problem))
            candidate.path.unlink()
            continue
        reasons = failed_checks(item, plan.tolerances, source.spec.labels)
        tried.append(_attempt(form, item, reasons))
        if not reasons:
            found = item
            break
        candidate.path.unlink()
    if found is None or found.candidate.name != INT8:
        (folder / f"model.{INT8}").unlink(missing_ok=True)
    if found is None and not passed:
        _refuse([why for attempt in tried for why in attempt.failures])
    return Proof(reference, tuple(passed + ([found] if found else [])), tuple(tried), tuple(losses))


def _attempt(form: str, item: Measured, reasons: Sequence[str]) -> Attempt:
    name = item.candidate.name
    return Attempt(form, name, item.size_bytes, item.latency_ms, item.parity.accuracy, tuple(reasons))


def _refuse(reasons: Sequence[str]) -> NoReturn:
    raise ParityError("nothing is published, because " + "; ".join(dict.fromkeys(reasons)))


def failed_checks(item: Measured, tolerances: Tolerances, labels: Sequence[str]) -> list[str]:
    """Return the checks that an artifact fails.

    Requirements, collapsed outputs, its own backend, the familiarity, the other runtimes.
    """
    name = item.candidate.name
    found = [f"{name}: {why} (another --min-runtime would accept it)" for why in item.shortfalls]
    if item.collapse:
        found.append(f"{name}: its outputs collapsed, {item.collapse}")
    found += [f"{name}: {why}" for why in failures(item.candidate.precision, item.parity, tolerances, labels)]
    if item.familiar:
        found += [f"{name}: {why}" for why in familiar_failures(item.familiar)]
    for runtime, parity in item.elsewhere.items():
        found += [f"{name} in {runtime}: {why}" for why in failures_elsewhere(parity, tolerances)]
    return found
