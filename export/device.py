"""Run an artifact as a device would: in a process of its own, through `edge_runtime` alone.

TensorFlow and tflite-runtime cannot share a process (their symbols clash), and a runtime that crashes on a file must
not take the export with it.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from export.errors import ExportError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_runtime.backends import BackendName
    from edge_runtime.preprocess import Pixels
    from edge_runtime.spec import ModelSpec


WORKER = [sys.executable, "-m", "export.device_worker"]


@dataclass(frozen=True)
class DeviceRun:
    """What a runtime made of an artifact.

    Attributes:
        probabilities: float32 (n_images, n_classes).
        latency_ms: median time of one image in the backend, one thread, on this machine.
        tensors: digest of the tensor that entered the graph, for each image.

    """

    probabilities: NDArray[np.float32]
    latency_ms: float
    tensors: tuple[str, ...]


def run_on_device(
    artifact: Path, spec: ModelSpec, pixels: Pixels, backend: BackendName, kernels: str | None = None
) -> DeviceRun:
    """Classify preprocessed images with an artifact, one at a time, on one thread.

    Args:
        artifact: a .tflite or .onnx file.
        spec: its contract.
        pixels: uint8 (N, height, width, 3).
        backend: the runtime, which must be installed.
        kernels: a name from `edge_runtime.backends.KERNELS`; None takes the runtime's best.

    Raises:
        ExportError: the runtime refuses the file, fails or crashes; the message is the runtime's.

    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        spec.write(folder / "spec.json")
        np.save(folder / "pixels.npy", pixels)
        command = [*WORKER, str(artifact), backend, kernels or "", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ExportError(f"{artifact.name} in {backend}: {_reason(done)}")
        with np.load(folder / "result.npz") as result:
            return DeviceRun(result["probabilities"], float(result["latency_ms"]), tuple(result["tensors"].tolist()))


def _reason(done: subprocess.CompletedProcess[str]) -> str:
    if done.returncode < 0:
        return f"the runtime crashed ({signal.Signals(-done.returncode).name})"
    lines = done.stderr.strip().splitlines()
    return lines[-1] if lines else f"the worker ended with code {done.returncode}"
