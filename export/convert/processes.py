"""Convert in child processes, so that a crash or a memory leak of a converter is reported as one error."""

from __future__ import annotations

import json
import signal
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from export.convert.converter import Converter, planned
from export.errors import ExportError
from export.isolation.processes import run_confined
from export.sources.keras_model import GRAPH_SUFFIX

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Collection, Sequence

    from export.artifacts import ArtifactName, Candidate
    from export.convert.tflite import Improvement
    from export.settings import Settings
    from export.sources.keras_model import ModelFile
    from export.sources.source_model import SourceModel

WORKER = "export.convert.worker"
LOOK_EVERY_S = 0.2
# Files that the worker writes: its error message, and the artifact that it is converting.
ERROR, NOW = "error.txt", "now.txt"


@dataclass(frozen=True)
class Int8Form:
    """How int8.tflite is quantized; the default is the converter's own quantization of all layers.

    Attributes:
        keep_float: the output tensors of the layers that stay in float.
        improvements: see `export.convert.tflite.to_tflite`.

    """

    keep_float: tuple[str, ...] = ()
    improvements: tuple[Improvement, ...] = ()


class Converted(NamedTuple):
    """The artifacts that were written, in the given order, and the reason for each of the others."""

    candidates: list[Candidate]
    refused: dict[ArtifactName, str]


def convert(
    source: SourceModel,
    names: Sequence[ArtifactName],
    folder: Path,
    settings: Settings,
    *,
    jobs: int = 1,
    form: Int8Form = Int8Form(),
    expendable: Collection[ArtifactName] = (),
    progress: Callable[[str], None] = lambda _: None,
) -> Converted:
    """Write artifacts into a folder.

    Args:
        source: the model, its spec, its calibration images.
        names: the artifacts.
        folder: the destination of the `model.NAME` files.
        settings: the settings of the quantized files.
        jobs: number of processes that convert in parallel; 0 converts in this process.
        form: how int8.tflite is quantized.
        expendable: the names that may be missing in the result.
        progress: called with a line for each artifact when its conversion begins.

    Raises:
        ExportError: a converter refuses the model, or its process crashes, for an artifact that is not expendable.
        BackendUnavailable: no runtime that reads a file is installed.

    """
    candidates = [planned(name, folder) for name in names]
    begun = _counter(names, progress)
    if jobs == 0:
        refused = _in_this_process(source, names, folder, settings, form, expendable, begun)
    else:
        with tempfile.TemporaryDirectory(prefix=".convert.", dir=folder) as scratch:
            unseen = {} if source.unseen is None else {"unseen": source.unseen}
            np.savez(Path(scratch) / "images.npz", calibration=source.calibration, **unseen)
            with ThreadPoolExecutor(jobs) as pool:
                started = [
                    pool.submit(_in_children, source, group, Path(scratch), settings, form, expendable, begun)
                    for group in _groups(names, jobs)
                ]
                refused = {name: why for future in started for name, why in future.result().items()}
            for candidate in candidates:
                for path in Path(scratch).glob(f"*/{candidate.path.name}"):
                    path.replace(candidate.path)
    return Converted([candidate for candidate in candidates if candidate.name not in refused], refused)


def _in_this_process(
    source: SourceModel,
    names: Sequence[ArtifactName],
    folder: Path,
    settings: Settings,
    form: Int8Form,
    expendable: Collection[ArtifactName],
    begun: Callable[[str], None],
) -> dict[ArtifactName, str]:
    converter = Converter(source.model, source.spec, source.calibration, folder, settings, unseen=source.unseen)
    refused: dict[ArtifactName, str] = {}
    for name in names:
        begun(name)
        try:
            converter.write(name, keep_float=form.keep_float, improvements=form.improvements)
        except ExportError as problem:
            if name not in expendable:
                raise
            refused[name] = str(problem)
    return refused


def _groups(names: Sequence[ArtifactName], jobs: int) -> list[list[ArtifactName]]:
    """Distribute the names: ONNX files stay together, because the quantized ones are made from the float one."""
    onnx = [name for name in names if name.endswith(".onnx")]
    tflite = [name for name in names if name.endswith(".tflite")]
    if jobs == 1 or not (onnx or len(tflite) > 1):
        return [list(names)]
    lanes = max(1, jobs - bool(onnx))
    return [group for group in (*(tflite[lane::lanes] for lane in range(lanes)), onnx) if group]


def _in_children(
    source: SourceModel,
    names: Sequence[ArtifactName],
    scratch: Path,
    settings: Settings,
    form: Int8Form,
    expendable: Collection[ArtifactName],
    begun: Callable[[str], None],
) -> dict[ArtifactName, str]:
    """Convert in one process; after an expendable artifact that ended it, continue with the rest in another."""
    folder = Path(tempfile.mkdtemp(dir=scratch))
    work = {
        "model": _file_json(source.origin, folder),
        "spec": source.spec.to_json(),
        "settings": asdict(settings),
        "form": asdict(form),
        "images": str(scratch / "images.npz"),
    }
    refused: dict[ArtifactName, str] = {}
    left = list(names)
    while left:
        (folder / "work.json").write_text(json.dumps({**work, "names": left}), encoding="utf-8")
        done = _run_worker(folder, f"converting {', '.join(left)}", begun)
        if done.returncode == 0:
            break
        now = (folder / NOW).read_text(encoding="utf-8") if (folder / NOW).exists() else ""
        at = next((name for name in left if name == now), None)
        reason = _reason(done, folder / ERROR, [at] if at else left)
        if at is None or at not in expendable:
            raise ExportError(reason)
        refused[at] = reason
        (folder / f"model.{at}").unlink(missing_ok=True)  # it may be incomplete
        (folder / ERROR).unlink(missing_ok=True)
        left = left[left.index(at) + 1 :]
    return refused


def _run_worker(folder: Path, what: str, begun: Callable[[str], None]) -> subprocess.CompletedProcess[str]:
    """Run a worker to its end; call `begun` with each name that it writes to NOW."""
    ended = threading.Event()

    def follow() -> None:
        """Look at the file until the worker has ended."""
        name = ""
        while not ended.wait(LOOK_EVERY_S):
            now = (folder / NOW).read_text(encoding="utf-8") if (folder / NOW).exists() else ""
            if now not in {"", name}:
                name = now
                begun(name)

    follower = threading.Thread(target=follow, name="converting", daemon=True)
    follower.start()
    try:
        return run_confined(WORKER, str(folder), folder=folder, what=what)
    finally:
        ended.set()
        follower.join()


def _counter(names: Sequence[ArtifactName], progress: Callable[[str], None]) -> Callable[[str], None]:
    """Return a function that reports an artifact whose conversion begins, with its number."""
    order: list[str] = []

    def begun(name: str) -> None:
        """Report the name, unless it was begun before."""
        if name not in order:
            order.append(name)
            progress(f"  {name} ({len(order)} of {len(names)})")

    return begun


def _file_json(file: ModelFile, folder: Path) -> dict[str, Any]:
    """Describe a model's file; an imported graph is written into the folder."""
    paths = {"path": file.path, "familiarity": file.familiarity}
    if file.graph is not None:
        imported = paths["path"] = folder / f"imported{GRAPH_SUFFIX}"
        imported.write_bytes(file.graph)
    stated = {name: value for name, value in asdict(file).items() if name != "graph"}
    return {**stated, **{name: str(path.resolve()) if path else None for name, path in paths.items()}}


def _reason(done: subprocess.CompletedProcess[str], message: Path, names: Sequence[ArtifactName]) -> str:
    if message.exists():  # an expected failure, with the worker's message
        return message.read_text(encoding="utf-8")
    if done.returncode < 0:
        return f"converting {', '.join(names)}: the converter crashed ({signal.Signals(-done.returncode).name})"
    lines = done.stderr.strip().splitlines()
    return f"converting {', '.join(names)}: {lines[-1] if lines else f'ended with code {done.returncode}'}"
