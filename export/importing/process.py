"""Read a model of unknown origin in a confined process."""

from __future__ import annotations

import json
import signal
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from export.errors import ExportError
from export.importing.graph import ImportedGraph
from export.importing.worker import ERROR, FACTS, GRAPH, WORK, read_model
from export.isolation.confinement import memory_limit_bytes
from export.isolation.processes import run_confined, unprotected

if TYPE_CHECKING:
    import subprocess

TIMEOUT_S = 900.0  # a ResNet-152 takes a minute


@dataclass(frozen=True)
class Imported:
    """An imported model.

    Attributes:
        graph: its graph.
        unprotected: what the kernel did not protect from the process that read it; empty if nothing.

    """

    graph: ImportedGraph
    unprotected: tuple[str, ...]


def import_model(path: Path, *, timeout_s: float = TIMEOUT_S) -> Imported:
    """Read a .keras or .h5 file or a SavedModel folder as a graph of plain operations.

    It is read in a process without network that can write only its own temporary files, as far as the kernel supports
    it; graphs with operations on files, networks or Python, and layers with code, are refused.

    Args:
        path: the file or folder.
        timeout_s: the process is ended after this time, in seconds.

    Raises:
        ExportError: it cannot be read, is refused, or its process crashes or takes too long or too much memory.

    """
    _check_exists(path)
    with tempfile.TemporaryDirectory(prefix="edgewise-import-") as scratch:
        folder = Path(scratch)
        (folder / WORK).write_text(json.dumps({"path": str(path.resolve())}), encoding="utf-8")
        what = f"reading {path}"
        done = run_confined("export.importing.worker", scratch, folder=folder, what=what, timeout_s=timeout_s)
        if done.returncode:
            raise ExportError(_reason(done, folder / ERROR, path))
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        graph = ImportedGraph((folder / GRAPH).read_bytes(), facts["input_type"], tuple(facts["notes"]))
        return Imported(graph, unprotected(folder))


def import_here(path: Path) -> Imported:
    """Read a model that is trusted in this process, without protection; otherwise like `import_model`."""
    _check_exists(path)
    with tempfile.TemporaryDirectory(prefix="edgewise-import-") as scratch:
        return Imported(read_model(path, Path(scratch)), ())


def _check_exists(path: Path) -> None:
    if not path.exists():
        raise ExportError(f"{path}: no such file")
    if path.is_dir() and not (path / "saved_model.pb").is_file():
        raise ExportError(f"{path}: a folder without saved_model.pb or spec.json is neither a SavedModel nor a RUN")


def _reason(done: subprocess.CompletedProcess[str], message: Path, path: Path) -> str:
    if message.exists():  # an expected failure, with the worker's message
        return message.read_text(encoding="utf-8").replace(str(path.resolve()), str(path))
    if done.returncode < 0:
        return f"{path}: reading it crashed TensorFlow ({signal.Signals(-done.returncode).name})"
    lines = done.stderr.strip().splitlines()
    last = lines[-1] if lines else f"ended with code {done.returncode}"
    if "MemoryError" in last or "bad_alloc" in done.stderr or "RESOURCE_EXHAUSTED" in done.stderr:
        return f"{path}: reading it needs more memory than the limit of {memory_limit_bytes() >> 30} GiB"
    return f"{path}: cannot be read: {last}"
