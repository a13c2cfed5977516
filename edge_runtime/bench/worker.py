"""Measure one artifact in one backend, in a process of its own, so that its memory is measured alone.

    python -m edge_runtime.bench.worker BUNDLE ARTIFACT BACKEND THREADS SECONDS STARTED_S

Prints one JSON object. STARTED_S is the time at which the parent started the process, from time.monotonic().
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from edge_runtime.backends.names import BackendName
from edge_runtime.classify.classifier import Classifier
from edge_runtime.command_line.runner import FAILURE, SUCCESS
from edge_runtime.errors import BundleError, EdgeError, one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_runtime.classify.classifier import Prediction
    from edge_runtime.model.bundle import Bundle

WARM_UPS = 5
MIN_RUNS = 10
PERCENTILES = (50, 90, 99)
STAGES = ("decode", "preprocess", "inference")


def main(argv: Sequence[str]) -> int:
    """Measure, and print the result or the message of an expected failure."""
    bundle, artifact, backend, threads, seconds, started_s = argv
    if backend not in get_args(BackendName):
        raise ValueError(f"unknown backend {backend!r}")
    try:
        result = measure(bundle, artifact, backend, int(threads), float(seconds), float(started_s))  # type: ignore[arg-type]
    except EdgeError as problem:
        print(json.dumps({"error": one_line(problem)}))
        return FAILURE
    print(json.dumps(result))
    return SUCCESS


def measure(
    folder: str, artifact: str, backend: BackendName, threads: int, seconds: float, started_s: float
) -> dict[str, Any]:
    """Classify one encoded photograph repeatedly for `seconds`.

    Returns:
        The cold start and percentiles of each stage in ms, images per second, the peak resident memory in MiB, and the
        number of runs.

    """
    from edge_runtime.model.bundle import Bundle

    bundle = Bundle.open(folder)
    classifier = Classifier.open(bundle, artifact=artifact, backend=backend, threads=threads)
    image = _photograph(bundle)
    classifier.classify(image)
    cold_start_ms = (time.monotonic() - started_s) * 1e3
    for _ in range(WARM_UPS):
        classifier.classify(image)
    start_s = time.monotonic()
    predictions: list[Prediction] = []
    while len(predictions) < MIN_RUNS or time.monotonic() - start_s < seconds:
        predictions.append(classifier.classify(image))
    elapsed_s = time.monotonic() - start_s
    stages = {f"{stage}_ms": [getattr(item, f"{stage}_ms") for item in predictions] for stage in STAGES}
    total_ms = [sum(times) for times in zip(*stages.values(), strict=True)]
    return {
        "cold_start_ms": round(cold_start_ms, 1),
        **{name: percentiles(times) for name, times in {**stages, "total_ms": total_ms}.items()},
        "images_per_s": round(len(predictions) / elapsed_s, 1),
        "peak_mb": round(_peak_mb(), 1),
        "runs": len(predictions),
    }


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """Return the nearest-rank percentiles of one or more values."""
    ordered = sorted(values)
    return {
        f"p{percent}": round(ordered[min(len(ordered) - 1, len(ordered) * percent // 100)], 3)
        for percent in PERCENTILES
    }


def _photograph(bundle: Bundle) -> bytes:
    """Return an encoded image: the first golden image, or noise of 640x480 pixels if there is none."""
    from edge_runtime.selftest.golden import read_golden

    try:
        path = read_golden(bundle)[0].path
        return bundle.read_file(bundle.files[path])
    except BundleError:
        return _noise()


def _noise() -> bytes:
    import io

    from PIL import Image

    encoded = io.BytesIO()
    Image.effect_noise((640, 480), 60).convert("RGB").save(encoded, "JPEG")
    return encoded.getvalue()


def _peak_mb() -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
