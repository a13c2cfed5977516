"""The description of the machine that every result contains."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

from edge_runtime.system.device_state import governor
from edge_runtime.system.versions import installed_version

LIBRARIES = (
    "numpy",
    "pillow",
    "ai-edge-litert",
    "tflite-runtime",
    "onnxruntime",
    "av",
    "tensorflow",
    "keras",
    "tf2onnx",
    "onnx",
)


def facts() -> dict[str, Any]:
    """Return processor, cores, memory, governor, system, load and the versions of the libraries."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    return {
        "cpu": model,
        "cores": len(os.sched_getaffinity(0)),
        "memory_mb": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20,
        "governor": governor(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "load_average_1_min": round(os.getloadavg()[0], 2),
        "libraries": {name: installed_version(name) for name in LIBRARIES},
    }


def stolen_s() -> float:
    """Return the seconds that the hypervisor has taken from this machine's cores since boot: "steal" in proc(5)."""
    fields = Path("/proc/stat").read_text().split(maxsplit=9)
    return int(fields[8]) / os.sysconf("SC_CLK_TCK")
