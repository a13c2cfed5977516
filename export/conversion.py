"""Convert in processes of their own, so that a converter's crash or leak is an error line."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from export.convert import Converter, planned
from export.errors import ExportError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from export.artifacts import ArtifactName, Candidate
    from export.settings import Settings
    from export.source_model import SourceModel

WORKER = [sys.executable, "-m", "export.conversion_worker"]


def convert(
    source: SourceModel,
    names: Sequence[ArtifactName],
    folder: Path,
    settings: Settings,
    *,
    jobs: int = 1,
    keep_float: Sequence[str] = (),
) -> list[Candidate]:
    """Write artifacts into a folder.

    Args:
        source: the model, its contract, its calibration images.
        names: the artifacts.
        folder: where `model.NAME` files go.
        settings: how the quantized files are made.
        jobs: how many processes convert at once; 0 converts in this process.
        keep_float: for int8.tflite, the output tensors of the layers that stay in float.

    Raises:
        ExportError: a converter refuses the model, or its process dies.
        BackendUnavailable: no runtime that reads a file is installed.

    """
    candidates = [planned(name, folder) for name in names]
    if jobs == 0:
        converter = Converter(source.model, source.spec, source.calibration, folder, settings)
        return [converter.write(name, keep_float=keep_float) for name in names]
    with tempfile.TemporaryDirectory(prefix=".convert.", dir=folder) as scratch:
        np.save(Path(scratch) / "calibration.npy", source.calibration)
        with ThreadPoolExecutor(jobs) as pool:
            started = [
                pool.submit(_in_child, source, group, Path(scratch), settings, keep_float)
                for group in _groups(names, jobs)
            ]
            written = [path for future in started for path in future.result()]
        for path in written:
            path.replace(folder / path.name)
    return candidates


def _groups(names: Sequence[ArtifactName], jobs: int) -> list[list[ArtifactName]]:
    """Share the names out: ONNX files stay together, for the small ones are made from the float one."""
    onnx = [name for name in names if name.endswith(".onnx")]
    tflite = [name for name in names if name.endswith(".tflite")]
    if jobs == 1 or not (onnx or len(tflite) > 1):
        return [list(names)]
    lanes = max(1, jobs - bool(onnx))
    return [group for group in (*(tflite[lane::lanes] for lane in range(lanes)), onnx) if group]


def _in_child(
    source: SourceModel, names: Sequence[ArtifactName], scratch: Path, settings: Settings, keep_float: Sequence[str]
) -> list[Path]:
    folder = Path(tempfile.mkdtemp(dir=scratch))
    work = {
        "model": {**asdict(source.origin), "path": str(source.origin.path.resolve())},
        "spec": source.spec.to_json(),
        "settings": asdict(settings),
        "names": list(names),
        "keep_float": list(keep_float),
        "calibration": str(scratch / "calibration.npy"),
    }
    (folder / "work.json").write_text(json.dumps(work), encoding="utf-8")
    done = subprocess.run([*WORKER, str(folder)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ExportError(_reason(done, folder / "error.txt", names))
    return [folder / f"model.{name}" for name in names]


def _reason(done: subprocess.CompletedProcess[str], told: Path, names: Sequence[ArtifactName]) -> str:
    if told.exists():  # an expected failure, in the worker's own words
        return told.read_text(encoding="utf-8")
    if done.returncode < 0:
        return f"converting {', '.join(names)}: the converter crashed ({signal.Signals(-done.returncode).name})"
    lines = done.stderr.strip().splitlines()
    return f"converting {', '.join(names)}: {lines[-1] if lines else f'ended with code {done.returncode}'}"
