"""The sections about improving a model with the frames that a device keeps."""

from __future__ import annotations

from collections import Counter
from statistics import fmean
from typing import Any

from .markdown import Results, chart, machine_line, number, table

DEFAULT_PER_MINUTE = 10  # of `--keep-rate`
WAYS = (("keeping", "keeping"), ("full", "the disk is full"), ("gone", "the disk is gone"))


def loop(results: Results) -> str:
    """Return the section on the accuracy with labels for kept frames, and for frames at random."""
    result = results.get("loop") or {}
    if not result.get("rows"):
        return ""
    parts = []
    for data in dict.fromkeys(row["data"] for row in result["rows"]):
        own = [row for row in result["rows"] if row["data"] == data]
        parts.append(f"{_table(data, own)}\n\n{_reasons(data, own)}")
    together = "\n\n".join(parts)
    return f"""## Frames that the device keeps, against frames at random

A model is trained on {result["labels"]} photographs; then a simulated camera shows all others that are not held out as
test, each for five seconds. One arm labels what `--keep-hard` keeps, at a rate of at most {result["labels"]} in a
round, the other as many photographs at random. Both train again, with frozen features. The columns are mean accuracies
over the seeds on the test photographs; *difference* is the mean of the paired differences, with its 95% interval
(Student's t). The columns of both arms have the same number of labels.

{together}

{chart("loop", "Accuracy against the number of labels, for kept frames and for frames at random.")}
{machine_line(result)}"""


def _table(data: str, rows: list[dict[str, Any]]) -> str:
    lines = []
    for number_of_round in sorted({row["round"] for row in rows}):
        arms = {
            arm: {row["seed"]: row for row in rows if row["round"] == number_of_round and row["arm"] == arm}
            for arm in ("hard", "random")
        }
        labels = fmean(row["labels"] for row in arms["hard"].values())
        means = [number(fmean(row["accuracy"] for row in arm.values()), ".1%") for arm in arms.values()]
        lines.append((data, f"{labels:.0f}", *means, _difference(arms) if number_of_round else "-"))
    return table(("data", "labels", "`--keep-hard`", "random", "difference, points"), lines)


def _difference(arms: dict[str, dict[int, dict[str, Any]]]) -> str:
    from scipy.stats import t

    pairs = [100 * (row["accuracy"] - arms["random"][seed]["accuracy"]) for seed, row in arms["hard"].items()]
    mean = fmean(pairs)
    if len(pairs) < 2:
        return f"{mean:+.1f}"
    error = (sum((pair - mean) ** 2 for pair in pairs) / (len(pairs) - 1) / len(pairs)) ** 0.5
    half = float(t.ppf(0.975, len(pairs) - 1)) * error
    return f"{mean:+.1f} ({mean - half:+.1f} to {mean + half:+.1f})"


def _reasons(data: str, rows: list[dict[str, Any]]) -> str:
    counts: Counter[str] = Counter()
    for row in rows:
        counts.update(row["reasons"])
    found = ", ".join(f"{name} {count / counts.total():.0%}" for name, count in counts.most_common())
    return f"Why frames of {data} were kept: {found}." if found else ""


def keep_cost(results: Results) -> str:
    """Return the section on what keeping frames costs the live loop."""
    result = results.get("keep_cost") or {}
    if not result:
        return ""
    rows = []
    for way, name in WAYS:
        counts = result["counts"][way]
        per_minute = (counts["delivered"] + counts["dropped"]) / (result["minutes"] / (1 + len(WAYS)))
        scale = DEFAULT_PER_MINUTE / per_minute
        costs = [_interval(result[kind][way], scale) for kind in ("cpu", "wall")]
        rows.append((name, f"{counts['delivered']:,}", f"{counts['dropped']:,}", f"{per_minute:.0f}", *costs))
    head = (
        "`--keep-hard`",
        "kept",
        "dropped",
        "per minute",
        "processor time at 10 per minute",
        "time at 10 per minute",
    )
    return f"""## What keeping frames costs the live loop

The live loop runs without pause on a simulated camera at 640x480. Blocks of frames follow each other in turn: without
keeping, with it, with a full disk, and with a folder that is gone. Without keeping, a frame takes
{result["cpu_ms_without"]:.1f} ms of processor time and {result["wall_ms_without"]:.1f} ms on the clock. Within the
blocks, many more frames are kept than the default of {DEFAULT_PER_MINUTE} per minute, so that their cost exceeds the
noise. The last two columns are what each way adds to a frame at the default rate, with the 95% interval.

{table(head, rows)}

{machine_line(result)}"""


def _interval(cost: dict[str, float], scale: float) -> str:
    added, low, high = (100 * scale * cost[key] for key in ("added", "low", "high"))
    return f"{added:+.2f}% ({low:+.2f}% to {high:+.2f}%)"
