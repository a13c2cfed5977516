"""The sections about what a RUN predicts from its photographs."""

from __future__ import annotations

from statistics import fmean

from .markdown import Results, machine_line, number, table


def learning_curve(results: Results) -> str:
    """Return the section on the accuracy that is predicted with twice as many photographs."""
    result = results.get("learning_curve") or {}
    rows = []
    for data in dict.fromkeys(row["data"] for row in result.get("rows", ())):
        own = [row for row in result["rows"] if row["data"] == data]
        classes = sum(row["classes"] for row in own)
        rows.append(
            (
                data,
                len(own),
                *(number(fmean(row[key] for row in own), ".1%") for key in ("now", "predicted", "measured")),
                f"{sum(row['inside'] for row in own)} of {len(own)}",
                number(100 * fmean(row["high"] - row["low"] for row in own), ".1f"),
                f"{sum(row['classes_inside'] for row in own)} of {classes}",
            )
        )
    if not rows:
        return ""
    head = ("data", "halves", "now", "predicted", "measured", "in interval", "width, points", "recalls in interval")
    return f"""## Predicted accuracy with twice as many photographs

A RUN is trained on all photographs, with frozen features. Then half of the photographs are hidden. From the other half,
`edge-train evaluate` predicts the accuracy with twice as many, which is compared with the accuracy that the RUN
measured. *Now* is the accuracy of the half in cross-validation. The interval is meant to contain the measured accuracy
in 95% of the halves; the last column counts the recalls of single classes.

{table(head, rows)}

{machine_line(result)}"""
