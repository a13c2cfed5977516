"""Make the HTML page of `edge-train search`: accuracy against time and size of every trained candidate."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from trainer.evaluation.plots import CostPoint, accuracy_against_cost
from trainer.pages.page import plot, render_page
from trainer.search.choice import frontier

if TYPE_CHECKING:
    from trainer.search.candidates import Screened, Trial
    from trainer.search.search import Found


class Row(NamedTuple):
    """A trained candidate: whether it is the chosen one, within the limits, and equalled by no other."""

    trial: Trial
    screened: Screened
    is_best: bool
    is_within: bool
    on_frontier: bool


def render(found: Found, data: str, device: str) -> str:
    """Return the page; `data` names the photographs, `device` whose times it shows."""
    screened = {one.candidate.name: one for one in found.screened}
    front = frontier(found.trials)
    rows = [
        Row(trial, screened[trial.name], trial == found.best, found.budget.allows(trial), trial.name in front)
        for trial in sorted(found.trials, key=lambda trial: (trial.ms is None, trial.ms or 0.0))
    ]
    points = [
        CostPoint(row.trial.ms, row.trial.kb, row.trial.accuracy, row.trial.interval, row.on_frontier)
        for row in rows
        if row.trial.ms is not None and row.trial.kb is not None
    ]
    return render_page(
        "search.html",
        data=data,
        device=device,
        reason=found.reason,
        best=found.best,
        budget=found.budget,
        rows=rows,
        plot=plot(partial(accuracy_against_cost, points)) if points else None,
        screened=sorted(found.screened, key=lambda one: one.multiply_adds),
        trained={trial.name for trial in found.trials},
    )
