"""edge-run bench --operators: measure what the operators of int8 networks cost on this device."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

from edge_runtime.command_line.runner import SUCCESS
from edge_runtime.command_line.steps import report_next
from edge_runtime.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

DISTURBED = 0.1  # a larger spread means that other programs, or heat, disturbed the measurement


def bench_operators(path: Path, threads: Sequence[int] | None, seconds: float, *, as_json: bool) -> int:
    """Measure the networks with each number of threads, write the file, and print a line for each.

    Args:
        path: the file to write; it must not exist.
        threads: numbers of threads; None for 1, 2, 4 up to the number of cores.
        seconds: time for each network with each number of threads.
        as_json: print the content of the file instead.

    """
    from edge_runtime.backends.names import choose_backend
    from edge_runtime.bench.measure import device, thread_counts
    from edge_runtime.bench.operators import measure_operators, operator_report, passes_in, spread
    from edge_runtime.storage.json_files import write_json

    _check_new(path)
    counts = list(dict.fromkeys(threads or thread_counts()))
    backend, before = choose_backend("tflite"), device()
    passes: dict[int, list[list[float]]] = {count: [] for count in counts}
    for count, done in passes.items():
        for ms in measure_operators(backend, count, seconds):
            done.append(ms)
            print(f"edge-run: {_threads(count)}: pass {len(done)} of {passes_in(seconds)}", file=sys.stderr)
    report = operator_report(backend, before, device(), passes)
    write_json(path, report)
    if as_json:
        print(json.dumps(report))
    for count in counts if not as_json else []:
        found = spread(report, count)
        advice = "; close other programs and measure again" if found > DISTURBED else ""
        networks = len(report["networks"])
        print(f"{_threads(count)}: {networks} networks, the median pass {found:.0%} slower than the fastest{advice}")
    following = ["edge-export", "latency", "model.int8.tflite", "--device", path.name]
    report_next("edge-run", f"{path}: copy it to the computer that trains", following)
    return SUCCESS


def _check_new(path: Path) -> None:
    """Raise BundleError if the file could not be written. Call this before the measurement, which takes minutes."""
    if path.exists():
        raise BundleError(f"{path}: exists already; choose another name, or remove it")
    if not os.access(path.parent, os.W_OK):
        raise BundleError(f"{path}: cannot be written: the folder does not exist or is not writable")


def _threads(count: int) -> str:
    return f"{count} thread{'s'[: count > 1]}"
