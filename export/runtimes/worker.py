"""The process that `export.runtimes.process` starts: ARTIFACT BACKEND FOLDER.

It reads spec.json, tasks.json (the kernels of each task) and pixels-N.npy from the folder and writes result-N.npz.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from edge_runtime.backends.opening import open_backend
from edge_runtime.errors import EdgeError, InferenceError
from edge_runtime.model.bundle import ModelFile
from edge_runtime.model.spec import ModelSpec
from edge_runtime.selftest.golden import input_digest

if TYPE_CHECKING:
    from edge_runtime.backends.interface import Backend
    from edge_runtime.backends.names import BackendName
    from edge_runtime.image.preprocess import Pixels


def main(artifact: str, backend: str, folder: str) -> int:
    """Run the tasks one after the other; return 0, or 1 with the reason on stderr."""
    scratch = Path(folder)
    spec = ModelSpec.read(scratch / "spec.json")
    name = cast("BackendName", backend)
    try:
        model = ModelFile.read(Path(artifact))
        for index, kernels in enumerate(json.loads((scratch / "tasks.json").read_text(encoding="utf-8"))):
            result = scratch / f"result-{index}.npz"
            try:
                opened = open_backend(model, spec, backend=name, threads=1, kernels=kernels)
            except InferenceError:
                if kernels is None:
                    raise
                # LiteRT's reference kernels lack some operations, such as ELU.
                np.savez(result, probabilities=np.empty((0, len(spec.labels)), np.float32), latency_ms=0, tensors=[])
                continue
            _classify(opened, np.load(scratch / f"pixels-{index}.npy"), result)
    except EdgeError as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


def _classify(opened: Backend, pixels: Pixels, result: Path) -> None:
    """Classify the images one at a time."""
    opened.run(pixels[:1])  # warm-up
    outputs, times, digests = [], [], []
    for image in pixels:
        started = time.perf_counter()
        outputs.append(opened.run(image[np.newaxis]))
        times.append(time.perf_counter() - started)
        digests.append(input_digest(opened.model_input(image[np.newaxis])[0]))
    np.savez(result, probabilities=np.concatenate(outputs), latency_ms=np.median(times) * 1e3, tensors=digests)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
