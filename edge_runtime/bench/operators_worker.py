"""Measure each small network once: python -m edge_runtime.bench.operators_worker BACKEND THREADS SECONDS.

Prints one JSON object with the fastest invoke of each network, in ms, or with an error. SECONDS is the time for each
network. A network is loaded when it is measured, so that the memory of a small device holds one at a time.
"""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, get_args

from edge_runtime.backends.names import BackendName
from edge_runtime.backends.tflite import open_interpreter
from edge_runtime.command_line.runner import FAILURE, SUCCESS
from edge_runtime.errors import EdgeError, one_line
from edge_runtime.latency.model_file import model_file
from edge_runtime.latency.probes import probes

if TYPE_CHECKING:
    from collections.abc import Sequence

WARM_UPS, MIN_RUNS = 2, 5


def main(argv: Sequence[str]) -> int:
    """Measure, and print the result or the message of an expected failure."""
    backend, threads, seconds = argv
    if backend not in get_args(BackendName):
        raise ValueError(f"unknown backend {backend!r}")
    try:
        files = map(model_file, probes())
        ms = [fastest_ms(file, backend, int(threads), float(seconds)) for file in files]  # type: ignore[arg-type]
    except EdgeError as problem:
        print(json.dumps({"error": one_line(problem)}))
        return FAILURE
    print(json.dumps({"ms": ms}))
    return SUCCESS


def fastest_ms(content: bytes, backend: BackendName, threads: int, seconds: float) -> float:
    """Invoke a network repeatedly for some seconds and return the time of the fastest invoke, in ms."""
    interpreter = open_interpreter(content, backend, threads)
    for _ in range(WARM_UPS):
        interpreter.invoke()
    times: list[float] = []
    end_s = time.perf_counter() + seconds
    while len(times) < MIN_RUNS or time.perf_counter() < end_s:
        began_s = time.perf_counter()
        interpreter.invoke()
        times.append(time.perf_counter() - began_s)
    return min(times) * 1e3


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
