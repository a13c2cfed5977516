"""Run an artifact as a device does: in a child process, with `edge_runtime` only.

TensorFlow and tflite-runtime cannot share a process, because their symbols clash, and a runtime that crashes on a file
must not end the export.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edge_runtime.system.child import end_of
from export.errors import ExportError
from export.isolation.processes import run_confined

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge_runtime.backends.names import BackendName
    from edge_runtime.image.preprocess import Pixels
    from edge_runtime.model.spec import ModelSpec

WORKER = "export.runtimes.worker"


@dataclass(frozen=True)
class DeviceRun:
    """The results of an artifact in a runtime.

    Attributes:
        probabilities: float32 (n_images, n_classes); without images if kernels that were named do not support an
            operation of the file.
        latency_ms: median time of one image in the backend, one thread, on this machine.
        tensors: digest of the graph's input tensor, for each image.

    """

    probabilities: NDArray[np.float32]
    latency_ms: float
    tensors: tuple[str, ...]


@dataclass(frozen=True)
class DeviceTask:
    """Images to classify with one set of kernels.

    Attributes:
        pixels: preprocessed, uint8 (N, height, width, 3).
        kernels: a name from `edge_runtime.backends.names.KERNELS`; None takes the runtime's best.

    """

    pixels: Pixels
    kernels: str | None = None


def run_on_device(artifact: Path, spec: ModelSpec, pixels: Pixels, backend: BackendName) -> DeviceRun:
    """Run one task with the runtime's best kernels; see `run_tasks`."""
    (run,) = run_tasks(artifact, spec, backend, [DeviceTask(pixels)])
    return run


def run_tasks(artifact: Path, spec: ModelSpec, backend: BackendName, tasks: Sequence[DeviceTask]) -> list[DeviceRun]:
    """Classify preprocessed images with an artifact, one at a time, on one thread, each task in a fresh interpreter.

    Args:
        artifact: a .tflite or .onnx file.
        spec: its spec.
        backend: the runtime, which must be installed.
        tasks: the images and kernels; one process runs all of them.

    Raises:
        ExportError: the runtime refuses the file, fails or crashes; the message is the runtime's.

    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        spec.write(folder / "spec.json")
        (folder / "tasks.json").write_text(json.dumps([task.kernels for task in tasks]), encoding="utf-8")
        for index, task in enumerate(tasks):
            np.save(folder / f"pixels-{index}.npy", task.pixels)
        arguments = (str(artifact), backend, scratch)
        what = f"{artifact.name} in {backend}"
        done = run_confined(WORKER, *arguments, folder=folder, what=what)
        if done.returncode:
            raise ExportError(f"{what}: {end_of(done.returncode, done.stderr)}")
        return [_read(folder / f"result-{index}.npz") for index in range(len(tasks))]


def _read(path: Path) -> DeviceRun:
    with np.load(path) as result:
        return DeviceRun(result["probabilities"], float(result["latency_ms"]), tuple(result["tensors"].tolist()))
