"""Print an evaluation."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainer.evaluation.scores import Evaluation


def print_evaluation(evaluation: Evaluation, *, as_json: bool) -> None:
    """Print an evaluation as a table or as one JSON line."""
    print(json.dumps(evaluation.to_json()) if as_json else evaluation.to_table())
