"""The backends by name: file formats, module, distribution and extra of each, and which of them are installed."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal, get_args

from edge_runtime.errors import BackendUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

BackendName = Literal["litert", "tflite-runtime", "onnx"]
BACKEND_NAMES: tuple[BackendName, ...] = get_args(BackendName)

# In order of preference for each file format.
BACKENDS_BY_FORMAT: dict[str, tuple[BackendName, ...]] = {"tflite": ("litert", "tflite-runtime"), "onnx": ("onnx",)}
MODULES: dict[BackendName, str] = {
    "litert": "ai_edge_litert",
    "tflite-runtime": "tflite_runtime",
    "onnx": "onnxruntime",
}
DISTRIBUTIONS: dict[BackendName, str] = {
    "litert": "ai-edge-litert",
    "tflite-runtime": "tflite-runtime",
    "onnx": "onnxruntime",
}
EXTRAS: dict[BackendName, str] = {"litert": "pi", "tflite-runtime": "tflite-runtime", "onnx": "onnx"}
# The kernels of each backend; the first are the best ones.
KERNELS: dict[BackendName, tuple[str, ...]] = {
    "litert": ("xnnpack", "plain", "reference"),
    "tflite-runtime": ("xnnpack",),
    "onnx": ("all", "extended", "basic", "disabled"),
}
MOST_THREADS = 4  # small networks are not faster with more


def installed(names: Sequence[BackendName] = BACKEND_NAMES) -> tuple[BackendName, ...]:
    """Return the names of the backends whose module is installed, in the given order; nothing is imported."""
    return tuple(name for name in names if find_spec(MODULES[name]))


def choose_backend(file_format: str, wanted: BackendName | None = None) -> BackendName:
    """Choose the backend for a file format, "tflite" or "onnx". Raise BackendUnavailable."""
    able = BACKENDS_BY_FORMAT[file_format]
    if wanted is not None and wanted not in able:
        raise BackendUnavailable(f"backend {wanted} does not read .{file_format} files; {' or '.join(able)} does")
    candidates = (wanted,) if wanted else able
    present = installed(candidates)
    if not present:
        raise BackendUnavailable(missing(candidates[0]))
    return present[0]


def missing(name: BackendName) -> str:
    """Return the message that a backend is not installed, with the command that installs it."""
    return f"backend {name} is not installed; install it with: pip install 'edgewise[{EXTRAS[name]}]'"


def default_threads() -> int:
    """Return the default number of threads: one for each core that this process may use, at most four."""
    return min(len(os.sched_getaffinity(0)), MOST_THREADS)
