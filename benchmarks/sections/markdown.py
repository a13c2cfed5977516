"""Markdown tables, numbers and images."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH = 120  # of a paragraph, in characters
Results = dict[str, Any]  # the content of results/*.json, by the file's name without .json


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a Markdown table. The first column is aligned to the left, the others to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def number(value: float | None, form: str, unit: str = "") -> str:
    """Format a number; a missing one is a dash."""
    return "-" if value is None else f"{value:{form}}{unit}"


def with_ratio(value: float | None, first: float | None, form: str) -> str:
    """Format a number with its ratio to the first row's; `first` is None in the first row."""
    if value is None or first is None:
        return number(value, form)
    return f"{value:{form}} (x{value / first:.2g})"


def machine_line(result: Results) -> str:
    """Describe the machine on which a result was measured."""
    facts = result.get("machine") or {}
    if not facts:
        return ""
    libraries = [f"{name} {found}" for name, found in (facts.get("libraries") or {}).items() if found]
    parts = [
        str(facts.get("cpu", "unknown processor")),
        f"{facts.get('cores', '?')} cores",
        f"governor {facts.get('governor') or 'unknown'}",
        f"load {facts['load_average_1_min']}" if "load_average_1_min" in facts else "",
        f"Python {facts.get('python', '?')}",
        ", ".join(libraries),
    ]
    return f"*{'; '.join(part for part in parts if part)}.*\n"


def wrap(text: str) -> str:
    """Wrap each paragraph of several lines; tables and single lines are unchanged."""
    return "\n\n".join(
        block if block.startswith("|") or "\n" not in block.strip() else _filled(block) for block in text.split("\n\n")
    )


def _filled(block: str) -> str:
    filled = fill(" ".join(block.split()), WIDTH, break_long_words=False, break_on_hyphens=False)
    return filled + "\n" * block.endswith("\n")


def chart(name: str, description: str) -> str:
    """Return the image results/NAME.png."""
    return f"![{description}](../benchmarks/results/{name}.png)\n"
