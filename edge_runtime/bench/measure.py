"""Measure every combination of artifact, backend and number of threads, each in its own process."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from edge_runtime.backends.names import BACKENDS_BY_FORMAT, MOST_THREADS, BackendName, installed
from edge_runtime.errors import InferenceError
from edge_runtime.system.child import ask_child
from edge_runtime.system.device_state import processor, temperature_c, throttling

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edge_runtime.model.bundle import Bundle

STARTUP_TIMEOUT_S = 120.0  # a large model takes long to load on a small device
TIE = 1.05  # times count as equal below this ratio; then fewer threads are better


class Configuration(NamedTuple):
    """An artifact, the backend that runs it, and the number of threads."""

    artifact: str
    backend: BackendName
    threads: int


def configurations(bundle: Bundle, threads: Sequence[int]) -> list[Configuration]:
    """Return every combination of artifact, backend and threads that this device can run."""
    return [
        Configuration(artifact.name, backend, count)
        for artifact in bundle.artifacts.values()
        for backend in installed(BACKENDS_BY_FORMAT[artifact.format])
        for count in threads
    ]


def thread_counts() -> list[int]:
    """Return the thread counts 1, 2, 4 up to the number of cores."""
    cores = min(len(os.sched_getaffinity(0)), MOST_THREADS)
    return [count for count in (1, 2, 4) if count <= cores]


def measure_all(bundle: Bundle, wanted: Sequence[Configuration], seconds: float) -> Iterator[dict[str, Any]]:
    """Measure each configuration for some seconds.

    Yields:
        The JSON object of the worker's figures with artifact, backend, threads and accuracy. A configuration that
        failed has the key "error" instead of the figures.

    """
    for configuration in wanted:
        accuracy = bundle.artifacts[configuration.artifact].parity.get("accuracy")
        figures = _measure_in_process(bundle, configuration, seconds)
        yield {**configuration._asdict(), "accuracy": accuracy, **figures}


def device() -> dict[str, Any]:
    """Return the state of the device as a JSON object.

    A load above the number of cores means that other programs disturb the measurement.
    """
    throttled = throttling()
    return {
        "processor": processor(),
        "load": round(os.getloadavg()[0], 1),
        "temperature_c": temperature_c(),
        "throttling": None if throttled is None else list(throttled.now),
    }


def best(results: Sequence[dict[str, Any]], largest_loss: float) -> dict[str, Any] | None:
    """Choose the fastest result among those whose accuracy is at most `largest_loss` below the best accuracy.

    Args:
        results: the results of `measure_all`.
        largest_loss: in 0..1; an artifact of unknown accuracy counts as accurate enough.

    Returns:
        One of the results, or None if all failed. Of results with about the same time, the one with the fewest threads.

    """
    complete = [result for result in results if "error" not in result]
    known = [result["accuracy"] for result in complete if result["accuracy"] is not None]
    least = max(known, default=0.0) - largest_loss
    accurate = [result for result in complete if result["accuracy"] is None or result["accuracy"] >= least]
    if not accurate:
        return None
    fastest_ms = min(result["total_ms"]["p50"] for result in accurate)
    tied = [result for result in accurate if result["total_ms"]["p50"] <= fastest_ms * TIE]
    return min(tied, key=lambda result: (result["threads"], result["total_ms"]["p50"]))


def _measure_in_process(bundle: Bundle, configuration: Configuration, seconds: float) -> dict[str, Any]:
    words = (bundle.folder.resolve(), *configuration, seconds, time.monotonic())
    try:
        return ask_child("edge_runtime.bench.worker", *map(str, words), timeout_s=seconds + STARTUP_TIMEOUT_S)
    except InferenceError as problem:
        return {"error": str(problem)}
