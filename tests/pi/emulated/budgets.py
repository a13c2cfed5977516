"""What a frame may cost and an installation may weigh: budgets.json, which names what it was measured with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FILE = Path(__file__).resolve().parents[1] / "budgets.json"


def read_budgets() -> dict[str, dict[str, Any]]:
    """Give all of them."""
    budgets: dict[str, dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))
    return budgets


def write_budget(kind: str, name: str, measured: object) -> None:
    """Let one of them be what was measured."""
    budgets = read_budgets()
    budgets[kind][name] = measured
    FILE.write_text(json.dumps(budgets, indent=2) + "\n", encoding="utf-8")
