"""Run an exported file as it is, without `edge_runtime`: the reference for the file that a bundle contains."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edge_runtime.system.child import end_of
from export.errors import ExportError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge_runtime.image.preprocess import Pixels
    from export.sources.exported.ends import ModelEnds
    from export.sources.reading import Reading


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
        task = {"readings": [asdict(reading) for reading in readings], "shape": ends.input_shape, "layout": ends.layout}
        (folder / "task.json").write_text(json.dumps(task), encoding="utf-8")
        np.save(folder / "pixels.npy", pixels)
        command = [sys.executable, "-m", "export.runtimes.bare_worker", str(model), scratch]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ExportError(f"{model}: cannot be run: {end_of(done.returncode, done.stderr)}")
        return [np.load(folder / f"output-{index}.npy") for index in range(len(readings))]
