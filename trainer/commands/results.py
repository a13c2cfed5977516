"""Print an evaluation."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainer.evaluation.scores import Evaluation
    from trainer.runs.recognition import MeasuredFamiliarity


def print_evaluation(evaluation: Evaluation, familiarity: MeasuredFamiliarity | None = None, *, as_json: bool) -> None:
    """Print an evaluation, and the familiarity if it was measured, as tables or as one JSON line."""
    if as_json:
        found = {"familiarity": familiarity.to_json()} if familiarity else {}
        print(json.dumps({**evaluation.to_json(), **found}))
        return
    print(evaluation.to_table())
    if familiarity:
        print()
        print(familiarity.to_table())
