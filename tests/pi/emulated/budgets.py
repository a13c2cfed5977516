"""Read and write budgets.json: the limits of the cost of a frame and the size of an installation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FILE = Path(__file__).resolve().parents[1] / "budgets.json"


def read_budgets() -> dict[str, dict[str, Any]]:
    """Return all budgets, by kind and name."""
    budgets: dict[str, dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))
    return budgets


def write_budget(kind: str, name: str, measured: object) -> None:
    """Replace one budget by a measured value."""
    budgets = read_budgets()
    budgets[kind][name] = measured
    FILE.write_text(json.dumps(budgets, indent=2) + "\n", encoding="utf-8")
