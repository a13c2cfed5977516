"""Print an evaluation."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trainer.evaluation.scores import Evaluation
    from trainer.runs.measure import Measured


def print_evaluation(evaluation: Evaluation, *, as_json: bool) -> None:
    """Print an evaluation as a table or as one JSON line."""
    print(json.dumps(evaluation.to_json()) if as_json else evaluation.to_table())


def print_measured(measured: Measured, *, as_json: bool) -> None:
    """Print everything that was measured, as tables or as one JSON line."""
    from trainer.progress import log

    evaluation, familiarity, curve = measured.evaluation, measured.familiarity, measured.curve
    if as_json:
        found: dict[str, Any] = {"familiarity": familiarity.to_json()} if familiarity else {}
        if curve:
            found["learning_curve"] = {"reason": curve} if isinstance(curve, str) else curve.to_json()
        print(json.dumps({**evaluation.to_json(), **found}))
        return
    print(evaluation.to_table())
    if familiarity:
        print(f"\n{familiarity.to_table()}")
    if isinstance(curve, str):
        if curve:
            log(f"no learning curve: {curve}")
    else:
        print(f"\n{curve.to_text()}")
