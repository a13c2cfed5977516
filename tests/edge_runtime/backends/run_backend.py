"""Run batches of pixels through a backend in a process of its own; see test_backends.py."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from edge_runtime.backends.opening import open_backend
from edge_runtime.errors import EdgeError
from edge_runtime.model.bundle import ModelFile
from edge_runtime.model.spec import ModelSpec

if __name__ == "__main__":
    model, spec, name, batches, results = sys.argv[1:]
    try:
        backend = open_backend(ModelFile.read(Path(model)), ModelSpec.read(Path(spec)), backend=name)
        with np.load(batches) as loaded:
            np.savez(results, **{key: backend.run(loaded[key]) for key in loaded.files})
    except EdgeError as problem:
        sys.exit(f"{type(problem).__name__}: {problem}")
