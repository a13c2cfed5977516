"""The section on predicted latency."""

from __future__ import annotations

from typing import Any

from .markdown import Results, machine_line, table


def latency_prediction(results: Results) -> str:
    """Return the section on the error of predicted latencies."""
    result = dict(sorted(results.get("latency_prediction", {}).items()))  # times first, then emulated processors
    if not result:
        return ""
    heads = [f"{name}, {'million instructions' if _emulated(name) else 'ms'}" for name in result]
    rows = []
    for place, first in enumerate(next(iter(result.values()))["candidates"]):
        found = [measured["candidates"][place] for measured in result.values()]
        rows.append((first["name"], *map(_cell, found)))
    summary = [
        (
            name,
            len(found["candidates"]),
            f"{found['median_error']:.1%}",
            f"{found['largest_error']:.1%}",
            found["measured_on"],
        )
        for name, found in result.items()
    ]
    columns = ("", "networks", "median error", "largest error", "measured on")
    first = next(iter(result.values()))
    machines = "" if all(map(_emulated, result)) else machine_line(first)
    return f"""## Predicted latency

`edge-export latency` predicts the time of an int8 network from the times of {first["small_networks"]} small networks
that `edge-run bench --operators` measures. `benchmarks/latency_prediction.py` compares the prediction with the
measurement under LiteRT, and with the instructions that an emulated processor executes. No network of the table is
among the small ones. The [page on latency](latency.md) says how it works.

{table(columns, summary)}

Each cell is the measured value and the error of the prediction; a network with a layer's name ends with that layer.

{table(("network", *heads), rows)}

{machines}"""


def _emulated(name: str) -> bool:
    return name.startswith("emulated")


def _cell(row: dict[str, Any]) -> str:
    return f"{row['measured']:.4g} ({row['error']:+.1%})"
