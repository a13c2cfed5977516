"""Decide which candidate is trained next, and which one is best."""

from __future__ import annotations

import math
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trainer.search.candidates import Budget, Screened, Trial

TOLERANCE = 1.1  # an estimate of time or size may be wrong by so much


def standard_error(accuracy: float, images: int) -> float:
    """Return the standard error of an accuracy, 0..1; at least that of half an error."""
    inside = min(max(accuracy, 0.5 / images), 1 - 0.5 / images)
    return math.sqrt(inside * (1 - inside) / images)


def ms_per_multiply_add(screened: Mapping[str, Screened], trials: Sequence[Trial]) -> float | None:
    """Return the median time of a multiply-add in the candidates that were measured; None if there are none."""
    ratios = [trial.ms / screened[trial.name].multiply_adds for trial in trials if trial.ms is not None]
    return median(ratios) if ratios else None


def worth_training(screened: Sequence[Screened], images: int) -> list[Screened]:
    """Return the candidates that no other one beats: it would cost no more and be more accurate by a standard error.

    Args:
        screened: all candidates.
        images: number of photographs that estimated their accuracies.

    """
    return [one for one in screened if not any(_beats(other, one, images) for other in screened)]


def _beats(other: Screened, one: Screened, images: int) -> bool:
    if one.accuracy is None or other.accuracy is None or other.multiply_adds > one.multiply_adds:
        return False
    return other.accuracy >= one.accuracy + standard_error(one.accuracy, images)


def next_candidate(
    screened: Sequence[Screened], trials: Sequence[Trial], budget: Budget, images: int
) -> Screened | None:
    """Return the candidate to train next; None if all that may be within the budget are trained.

    Within a budget it is the most accurate one. Without one it is the cheapest whose accuracy is within a standard
    error of the best. Candidates without an estimate come last.

    Args:
        screened: the candidates that are worth training.
        trials: those that are trained already.
        budget: the limits.
        images: number of photographs that estimated the accuracies.

    """
    known = {one.candidate.name: one for one in screened}
    ratio = ms_per_multiply_add(known, [trial for trial in trials if trial.name in known])
    tried = {trial.name for trial in trials}
    left = [one for name, one in known.items() if name not in tried and _may_fit(one, budget, ratio)]
    estimated = [(one.accuracy, one) for one in left if one.accuracy is not None]
    if not estimated:
        return min(left, key=lambda one: one.multiply_adds, default=None)
    best = max(accuracy for accuracy, _ in estimated)
    if (budget.ms is None and budget.kb is None) or (budget.ms is not None and ratio is None):
        least = best - standard_error(best, images)
        return min((one for accuracy, one in estimated if accuracy >= least), key=lambda one: one.multiply_adds)
    return min(estimated, key=lambda pair: (-pair[0], pair[1].multiply_adds))[1]


def _may_fit(one: Screened, budget: Budget, ratio: float | None) -> bool:
    if budget.kb is not None and one.estimated_kb > TOLERANCE * budget.kb:
        return False
    return budget.ms is None or ratio is None or one.multiply_adds * ratio <= TOLERANCE * budget.ms


def frontier(trials: Sequence[Trial]) -> set[str]:
    """Return the names of the exported candidates that no other one equals in accuracy, time and size together."""

    def costs(trial: Trial) -> tuple[float, float, float]:
        """Return what is better if it is smaller."""
        return -trial.accuracy, trial.ms or math.inf, trial.kb or math.inf

    exported = [trial for trial in trials if not trial.problem]
    return {
        one.name
        for one in exported
        if not any(
            costs(other) != costs(one) and all(a <= b for a, b in zip(costs(other), costs(one), strict=True))
            for other in exported
        )
    }


def best(screened: Mapping[str, Screened], trials: Sequence[Trial], budget: Budget, validation: int) -> Trial | None:
    """Return the best candidate within the budget; None if there is none.

    The test photographs do not choose: their accuracy would then be too high. Of the candidates whose accuracy on the
    validation photographs is within a standard error of the highest, the one with the highest accuracy in
    cross-validation is chosen, which has more photographs; of equal ones the fastest.

    Args:
        screened: all candidates by name.
        trials: those that are trained.
        budget: the limits.
        validation: number of validation photographs.

    """
    within = [trial for trial in trials if budget.allows(trial)]
    if not within:
        return None
    highest = max(trial.validation for trial in within)
    least = highest - standard_error(highest, validation)
    close = [trial for trial in within if trial.validation >= least]
    return min(close, key=lambda trial: (-(screened[trial.name].accuracy or trial.validation), trial.ms or 0.0))


def reason(found: Trial | None, trials: Sequence[Trial], budget: Budget) -> str:
    """Return in one sentence why a candidate was chosen, or why none was."""
    limits = [f"{limit:g} {unit}" for limit, unit in ((budget.ms, "ms"), (budget.kb, "kB")) if limit is not None]
    within = f" within {' and '.join(limits)}" if limits else ""
    count = f"{len(trials)} trained candidate{'s' if len(trials) != 1 else ''}"
    if found is None:
        return f"None of the {count} is{within or ' exported'}: allow more, or search for longer."
    return (
        f"{found.name} is the most accurate of the {count}{within} by validation and cross-validation: "
        f"{found.accuracy:.1%} of the test photographs (95% interval {found.interval[0]:.1%} to "
        f"{found.interval[1]:.1%}), {found.ms:.1f} ms and {found.kb:.0f} kB in int8."
    )
