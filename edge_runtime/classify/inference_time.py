"""The process that measures an artifact: BUNDLE ARTIFACT.

It prints one JSON object: `inference_ms` and `peak_bytes`, or `error`.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from statistics import median

import numpy as np

from edge_runtime.classify.classifier import Classifier
from edge_runtime.command_line.standard_output import results_stream
from edge_runtime.errors import EdgeError

TIMED_RUNS = 20


def main(bundle: str, artifact: str) -> None:
    """Run the artifact on a grey image; print the median time of one inference and the peak memory of the process."""
    with results_stream() as stream:
        try:
            answer: dict[str, object] = {"inference_ms": inference_ms(bundle, artifact)}
            answer["peak_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        except EdgeError as problem:
            answer = {"error": str(problem)}
        json.dump(answer, stream)
        stream.flush()


def inference_ms(bundle: str, artifact: str) -> float:
    """Return the median time of one inference in ms, rounded to microseconds."""
    classifier = Classifier.open(bundle, artifact=artifact)
    spec, backend = classifier.spec, classifier.backend
    pixels = np.full((1, spec.height, spec.width, spec.channels), 128, np.uint8)
    backend.run(pixels)  # the first run allocates memory
    times_ms = []
    for _ in range(TIMED_RUNS):
        started = time.perf_counter()
        backend.run(pixels)
        times_ms.append((time.perf_counter() - started) * 1e3)
    return round(median(times_ms), 3)


if __name__ == "__main__":
    main(*sys.argv[1:])
