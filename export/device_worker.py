"""The process behind `export.device`: ARTIFACT BACKEND KERNELS FOLDER.

It reads spec.json and pixels.npy from the folder and writes result.npz there.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import cast

import numpy as np

from edge_runtime.backends import BackendName, open_backend
from edge_runtime.errors import EdgeError
from edge_runtime.golden import input_digest
from edge_runtime.spec import ModelSpec


def main(artifact: str, backend: str, kernels: str, folder: str) -> int:
    """Classify the images one at a time; 0, or 1 with the reason on stderr."""
    scratch = Path(folder)
    spec = ModelSpec.read(scratch / "spec.json")
    pixels = np.load(scratch / "pixels.npy")
    try:
        name = cast("BackendName", backend)
        opened = open_backend(Path(artifact), spec, backend=name, threads=1, kernels=kernels or None)
        opened.run(pixels[:1])  # warm-up
        outputs, times, digests = [], [], []
        for image in pixels:
            started = time.perf_counter()
            outputs.append(opened.run(image[np.newaxis]))
            times.append(time.perf_counter() - started)
            digests.append(input_digest(opened.model_input(image[np.newaxis])[0]))
    except EdgeError as problem:
        print(problem, file=sys.stderr)
        return 1
    latency_ms = np.median(times) * 1e3
    np.savez(scratch / "result.npz", probabilities=np.concatenate(outputs), latency_ms=latency_ms, tensors=digests)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
