"""Measure small networks on this device, from which the time of other networks is predicted."""

from __future__ import annotations

import datetime as dt
import statistics
from typing import TYPE_CHECKING, Any

from edge_runtime.bench.submission import description, health, versions
from edge_runtime.errors import InferenceError
from edge_runtime.latency.operator_times import VERSION
from edge_runtime.latency.probes import probes
from edge_runtime.system.child import ask_child

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from edge_runtime.backends.names import BackendName

# Passes over all networks, so that a disturbance of some seconds does not affect all times of a network.
MOST_PASSES, PASS_S = 10, 0.04
STARTUP_TIMEOUT_S = 600.0  # for all networks of a pass, on a slow device


def passes_in(seconds: float) -> int:
    """Return how many passes of at least PASS_S for each network fit into some seconds."""
    return min(MOST_PASSES, max(1, int(seconds / PASS_S)))


def measure_operators(backend: BackendName, threads: int, seconds: float) -> Iterator[list[float]]:
    """Measure every network `passes_in(seconds)` times, each pass in a process of its own.

    Args:
        backend: a runtime for TFLite files.
        threads: number of threads.
        seconds: time for each network, in all passes together.

    Yields:
        For each pass, the fastest invoke of each network, in ms.

    Raises:
        InferenceError: the runtime refuses a network, or crashed.

    """
    count = passes_in(seconds)
    words = (backend, str(threads), str(seconds / count))
    timeout_s = STARTUP_TIMEOUT_S + len(probes()) * seconds / count
    for _ in range(count):
        answer = ask_child("edge_runtime.bench.operators_worker", *words, timeout_s=timeout_s)
        if "error" in answer:
            raise InferenceError(answer["error"])
        yield answer["ms"]


def operator_report(
    backend: BackendName,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    passes: Mapping[int, Sequence[Sequence[float]]],
) -> dict[str, Any]:
    """Return the JSON object of the measurement, which `read_operator_times` reads.

    Args:
        backend: the runtime.
        before: the state of the device before the measurement, see `device`.
        after: the state after it.
        passes: for each number of threads, the passes of `measure_operators`.

    """
    networks = []
    for place, chain in enumerate(probes()):
        times = {str(threads): [ms[place] for ms in found] for threads, found in passes.items()}
        networks.append(
            {
                "operators": [operator.text() for operator in chain],
                "ms": {threads: _rounded(min(own)) for threads, own in times.items()},
                "median_ms": {threads: _rounded(statistics.median(own)) for threads, own in times.items()},
            }
        )
    return {
        "version": VERSION,
        "measured_on": dt.datetime.now(dt.timezone.utc).date().isoformat(),
        "device": description(str(before["processor"])),
        "versions": versions(),
        "backend": backend,
        "passes": max(map(len, passes.values())),
        "before": health(before),
        "after": health(after),
        "networks": networks,
    }


def spread(report: Mapping[str, Any], threads: int) -> float:
    """Return by how much the median pass of a network is slower than its fastest, as a fraction: the median of all."""
    key = str(threads)
    slower: list[float] = [row["median_ms"][key] / row["ms"][key] - 1 for row in report["networks"]]
    return statistics.median(slower)


def _rounded(ms: float) -> float:
    return float(f"{ms:.4g}")
