"""Run every artifact in every backend that reads it, with several numbers of threads, each in its own process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from edge_runtime.backends.names import BACKENDS_BY_FORMAT, MOST_THREADS, BackendName, installed
from edge_runtime.system.device_state import processor, temperature_c, throttling

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edge_runtime.model.bundle import Bundle

LONGEST_S = 120.0  # in addition to the requested seconds: a large model takes long to load on a small device
TIE = 1.05  # a smaller ratio of times counts as equal; then fewer threads are better


class Way(NamedTuple):
    """One way to run a bundle."""

    artifact: str
    backend: BackendName
    threads: int


def ways(bundle: Bundle, threads: Sequence[int]) -> list[Way]:
    """Return every combination of artifact, backend and threads that this device can run."""
    return [
        Way(artifact.name, backend, count)
        for artifact in bundle.artifacts.values()
        for backend in installed(BACKENDS_BY_FORMAT[artifact.format])
        for count in threads
    ]


def thread_counts() -> list[int]:
    """Return the thread counts 1, 2, 4 up to the number of cores."""
    cores = min(len(os.sched_getaffinity(0)), MOST_THREADS)
    return [count for count in (1, 2, 4) if count <= cores]


def measure_ways(bundle: Bundle, wanted: Sequence[Way], seconds: float) -> Iterator[dict[str, Any]]:
    """Measure each way; a way that fails has `error` instead of its figures."""
    for way in wanted:
        accuracy = bundle.artifacts[way.artifact].parity.get("accuracy")
        yield {**way._asdict(), "accuracy": accuracy, **_measured(bundle, way, seconds)}


def device() -> dict[str, Any]:
    """Return the state of the device.

    A load above the number of cores means that other programs disturbed the measurement.
    """
    held_back = throttling()
    return {
        "processor": processor(),
        "load": round(os.getloadavg()[0], 1),
        "temperature_c": temperature_c(),
        "throttling": None if held_back is None else list(held_back.now),
    }


def best(results: Sequence[dict[str, Any]], largest_loss: float) -> dict[str, Any] | None:
    """Choose the fastest way among those whose accuracy is at most `largest_loss` below the best accuracy.

    Args:
        results: from `measure_ways`.
        largest_loss: in 0..1; an artifact of unknown accuracy counts as losing nothing.

    Returns:
        One of the results; if two are about equally fast, the one with fewer threads; None if all failed.

    """
    able = [result for result in results if "error" not in result]
    known = [result["accuracy"] for result in able if result["accuracy"] is not None]
    floor = max(known, default=0.0) - largest_loss
    good = [result for result in able if result["accuracy"] is None or result["accuracy"] >= floor]
    if not good:
        return None
    fastest_ms = min(result["total_ms"]["p50"] for result in good)
    tied = [result for result in good if result["total_ms"]["p50"] <= fastest_ms * TIE]
    return min(tied, key=lambda result: (result["threads"], result["total_ms"]["p50"]))


def _measured(bundle: Bundle, way: Way, seconds: float) -> dict[str, Any]:
    command = [
        sys.executable,
        "-m",
        "edge_runtime.bench.worker",
        str(bundle.folder.resolve()),
        way.artifact,
        way.backend,
    ]
    command += [str(way.threads), str(seconds), repr(time.monotonic())]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + LONGEST_S, check=False)
        result: dict[str, Any] = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        return {"error": f"did not end within {seconds + LONGEST_S:g} s"}
    except ValueError:
        died = f"the process was killed by signal {-done.returncode}" if done.returncode < 0 else "it failed"
        return {"error": (done.stderr.strip().splitlines() or [died])[-1]}
    return result
