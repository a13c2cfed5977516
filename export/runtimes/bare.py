"""Run an exported file as it is, without `edge_runtime`: the reference for the file that a bundle contains."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edge_runtime.system.child import end_of
from export.errors import ExportError
from export.isolation.processes import run_confined
from export.sources.exported_file import level_reading

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge_runtime.image.preprocess import Pixels
    from export.sources.exported.ends import ModelEnds
    from export.sources.reading import Reading

WORKER = "export.runtimes.bare_worker"


def bare_outputs(
    model: Path, ends: ModelEnds, pixels: Pixels, readings: Sequence[Reading]
) -> list[NDArray[np.float32]]:
    """Run a file on pixels that NumPy converts to its input.

    Args:
        model: a .tflite or .onnx file.
        ends: its input and output.
        pixels: uint8 (N, height, width, channels).
        readings: ways to compute the input from them; the file is opened once for all.

    Returns:
        For each reading the real values of the output, float32 (N, units).

    Raises:
        ExportError: the runtime refuses the file, fails or crashes.

    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        exact = [asdict(level_reading(reading, ends)) for reading in readings]
        task = {"readings": exact, "shape": ends.input_shape, "layout": ends.layout}
        (folder / "task.json").write_text(json.dumps(task), encoding="utf-8")
        np.save(folder / "pixels.npy", pixels)
        done = run_confined(WORKER, str(model), scratch, folder=folder, what=f"{model}: running it")
        if done.returncode:
            raise ExportError(f"{model}: cannot be run: {end_of(done.returncode, done.stderr)}")
        return [np.load(folder / f"output-{index}.npy") for index in range(len(readings))]
