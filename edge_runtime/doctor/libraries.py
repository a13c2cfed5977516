"""Check Python and the libraries, each in its own process, because a broken one may crash."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple

from edge_runtime.backends.names import DISTRIBUTIONS, EXTRAS, MODULES, BackendName
from edge_runtime.doctor.finding import Finding
from edge_runtime.system.versions import installed_version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SUPPORTED = ((3, 10), (3, 13))
IMPORT_TIMEOUT_S = 60.0  # the first import from a slow SD card takes long
IMPORTS: dict[BackendName, str] = {
    "litert": "ai_edge_litert.interpreter",
    "tflite-runtime": "tflite_runtime.interpreter",
    "onnx": "onnxruntime",
}


class OptionalLibrary(NamedTuple):
    """An optional library: its module, its distribution, the extra that installs it, and its purpose."""

    module: str
    distribution: str
    extra: str
    purpose: str


OPTIONAL = (
    OptionalLibrary("av", "av", "camera", "USB cameras, videos and network streams"),
    OptionalLibrary("paho", "paho-mqtt", "mqtt", "MQTT and Home Assistant"),
    OptionalLibrary("uvicorn", "uvicorn", "serve", "the web page"),
)


def check_libraries() -> Iterator[Finding]:
    """Check all libraries of this environment."""
    yield python(sys.version_info[:2])
    yield needed("numpy", "numpy", "sudo apt install libopenblas0")
    yield needed("PIL", "pillow", "sudo apt install libopenjp2-7 libtiff6")
    numpy_version = installed_version("numpy")
    present = [name for name in MODULES if find_spec(MODULES[name])]
    for name in present:
        yield runtime(name, numpy_version)
    if not present:
        yield Finding("runtimes", "broken", "no runtime is installed", "pip install 'edgewise[pi]'")
    for library in OPTIONAL:
        yield optional(library)


def python(release: tuple[int, int]) -> Finding:
    """Check the version of the Python interpreter."""
    says = f"{'.'.join(map(str, release))} at {sys.executable}"
    if SUPPORTED[0] <= release <= SUPPORTED[1]:
        return Finding("Python", "ok", says)
    return Finding("Python", "broken", f"{says}: edgewise requires 3.10 to 3.13", "python3.11 -m venv .venv")


def needed(module: str, distribution: str, system_fix: str) -> Finding:
    """Check a required library."""
    found = installed_version(distribution)
    if found is None or find_spec(module) is None:
        return Finding(distribution, "broken", "not installed", f"pip install {distribution}")
    problem = import_problem(module)
    if problem:
        fix = system_fix if ".so" in problem else f"pip install --force-reinstall {distribution}"
        return Finding(distribution, "broken", f"{found} cannot be imported: {problem}", fix)
    return Finding(distribution, "ok", found)


def runtime(
    name: BackendName, numpy_version: str | None, problem_of: Callable[[str], str | None] | None = None
) -> Finding:
    """Check that a runtime can be imported and that it supports the installed numpy."""
    found = installed_version(DISTRIBUTIONS[name]) or "unknown version"
    if name == "tflite-runtime" and numpy_version and not numpy_version.startswith("1."):
        # The import succeeds, and the first model fails.
        return Finding(name, "broken", f"{found} cannot use numpy {numpy_version}", "pip install 'numpy<2'")
    problem = (problem_of or import_problem)(IMPORTS[name])
    if problem:
        fix = f"pip install --force-reinstall 'edgewise[{EXTRAS[name]}]'"
        return Finding(name, "broken", f"{found} cannot be imported: {problem}", fix)
    return Finding(name, "ok", f"{found} with numpy {numpy_version}")


def optional(library: OptionalLibrary) -> Finding:
    """Check whether an optional library is installed."""
    if find_spec(library.module) is None:
        return Finding(
            library.distribution,
            "note",
            f"not installed; needed for {library.purpose}",
            f"pip install 'edgewise[{library.extra}]'",
        )
    return Finding(library.distribution, "ok", f"{installed_version(library.distribution)}, for {library.purpose}")


def import_problem(module: str) -> str | None:
    """Import a module in a new process and return the problem in one line, or None."""
    command = [sys.executable, "-c", f"import {module}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=IMPORT_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        return f"did not end within {IMPORT_TIMEOUT_S:g} s"
    if done.returncode == 0:
        return None
    if done.returncode < 0:
        return f"the process was killed by signal {-done.returncode}"
    return (done.stderr.strip().splitlines() or ["no message"])[-1]
