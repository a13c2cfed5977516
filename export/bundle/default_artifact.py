"""Choose the default artifact of a bundle, and explain the choice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from export.proof.measure import Measured

# Preference without measurements: on Arm processors, int8 TFLite files are usually the smallest and the fastest.
DEFAULT_ORDER = (
    "int8.tflite",
    "float16.tflite",
    "dynamic.tflite",
    "float32.tflite",
    "int16x8.tflite",
    "int8.onnx",
    "float16.onnx",
    "float32.onnx",
)
# Another artifact becomes the default only if its cost is below this fraction of the first one's. The limit is far
# from 1 because latencies are noisy and two exports of one run must choose the same artifact.
MAX_COST_RATIO = 0.5
MIN_COMPARABLE_LATENCY_MS = 1.0  # a shorter latency is mostly the overhead of the call


class Default(NamedTuple):
    """The default artifact of a bundle.

    Attributes:
        name: the artifact.
        reason: the rule that chose it, as one sentence.

    """

    name: str
    reason: str


def choose_default(measured: Sequence[Measured]) -> Default:
    """Choose the artifact that `edge-run` uses unless the user names another.

    The first of DEFAULT_ORDER is chosen. If latencies are long enough to be compared, another artifact is chosen if its
    cost, which is size times latency, is the lowest and less than half of the first one's.

    Args:
        measured: the artifacts that passed all checks, at least one.

    """
    costs = {item.candidate.name: item.size_bytes * item.latency_ms for item in measured}
    order = [name for name in DEFAULT_ORDER if name in costs]
    first, fixed_order = order[0], f"The order is {', '.join(order)}."
    if len(order) == 1:
        return Default(first, "It was chosen because it is the only artifact in this bundle.")
    if max(item.latency_ms for item in measured) < MIN_COMPARABLE_LATENCY_MS:
        why = f"every latency is below {MIN_COMPARABLE_LATENCY_MS:g} ms, which is too short to compare"
        return Default(first, f"It was chosen by a fixed order of preference, because {why}. {fixed_order}")
    best = min(costs, key=lambda name: costs[name])
    if costs[best] < MAX_COST_RATIO * costs[first]:
        why = f"its size multiplied by its latency is the lowest, and less than half of that of {first}"
        return Default(best, f"It was chosen because {why}, the first in the fixed order of preference.")
    why = "no other artifact has less than half of its size multiplied by its latency"
    return Default(first, f"It was chosen by a fixed order of preference, because {why}. {fixed_order}")


def compare_with_default(report: Mapping[str, Any]) -> list[str]:
    """Return one sentence for each artifact that is better than the default in some column of the report's table.

    Values are compared as the table shows them: sizes in kB, latencies in 0.01 ms, accuracies in 0.1%.

    Args:
        report: from `export.bundle.report.report_json`.

    """
    default = next(item for item in report["artifacts"] if item["name"] == report["default"])
    sentences = []
    for item in report["artifacts"]:
        advantages = [
            word
            for word, better in (
                ("smaller", _shown_size(item) < _shown_size(default)),
                ("faster on this computer", _shown_latency(item) < _shown_latency(default)),
                ("more accurate", not report["unchecked"] and _shown_accuracy(item) > _shown_accuracy(default)),
            )
            if better
        ]
        if advantages:
            sentences.append(f"{item['name']} is {_enumerate(advantages)}.")
    return sentences


def _enumerate(words: Sequence[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last


def _shown_size(item: Mapping[str, Any]) -> int:
    return round(int(item["size_bytes"]) / 1000)


def _shown_latency(item: Mapping[str, Any]) -> float:
    return round(float(item["latency_ms"]), 2)


def _shown_accuracy(item: Mapping[str, Any]) -> float:
    return round(100 * float(item["parity"]["accuracy"]), 1)
