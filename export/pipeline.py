"""From a run to a published bundle: convert, measure, gate, describe, and only then rename into place."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from edge_runtime.bundle import MANIFEST_NAME, MANIFEST_VERSION, sha256_of
from edge_runtime.command import published_folder
from edge_runtime.jsonio import write_json, write_text
from export.errors import ExportError, ParityError
from export.gate import Tolerances, failures
from export.golden import write_golden
from export.measure import Converter, measure
from export.report import report_json, write_report
from export.source_model import read_run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from export.measure import ArtifactName, Measured
    from export.source_model import SourceModel

# Which artifact a device runs unless told otherwise: the smallest and fastest first.
DEFAULT_ORDER = ("int8.tflite", "float16.tflite", "dynamic.tflite", "float32.tflite", "int8.onnx", "float32.onnx")
TOOLS = (
    "edgewise",
    "tensorflow",
    "keras",
    "ai-edge-litert",
    "tflite-runtime",
    "tf2onnx",
    "onnx",
    "onnxruntime",
    "numpy",
    "pillow",
)


@dataclass(frozen=True)
class Exported:
    """A published bundle and what was measured on its way.

    Attributes:
        folder: the bundle.
        measured: one for each artifact, in the order asked for.

    """

    folder: Path
    measured: tuple[Measured, ...]


def export_run(
    run: Path,
    out: Path,
    names: Sequence[ArtifactName],
    *,
    tolerances: Tolerances,
    overwrite: bool = False,
    tell: Callable[[str], None] = lambda _: None,
) -> Exported:
    """Export a run to a bundle; nothing is published unless every artifact passes.

    Args:
        run: the folder that `edge-train train` wrote.
        out: the bundle's folder.
        names: the artifacts to make.
        tolerances: the gate's limits.
        overwrite: replace an older bundle, which stays whole until the new one is complete.
        tell: takes a line of progress.

    Raises:
        ExportError: the run is unreadable, a conversion fails, a runtime refuses a file, or `out` exists.
        ParityError: an artifact fails a check; the message says which tolerance would have passed.

    """
    with published_folder(out, overwrite=overwrite, error=ExportError) as staging:
        tell(f"reading {run}")
        source = read_run(run)
        measured = _prove(source, names, staging, tolerances, tell)
        tell("writing golden vectors and the report")
        write_golden(source, [item.candidate for item in measured], staging)
        write_text(staging / "labels.txt", "".join(f"{label}\n" for label in source.spec.labels))
        write_json(staging / MANIFEST_NAME, manifest(source, measured, staging))
        write_report(report_json(source, measured, tolerances), staging)
    return Exported(out, tuple(measured))


def _prove(
    source: SourceModel,
    names: Sequence[ArtifactName],
    folder: Path,
    tolerances: Tolerances,
    tell: Callable[[str], None],
) -> list[Measured]:
    """Convert and measure every artifact; raise ParityError with all that failed."""
    tell(f"running the trained model on {len(source.holdout)} held-out images")
    reference = source.probabilities(source.holdout)
    converter = Converter(source, folder)
    measured, failed = [], []
    for name in names:
        tell(f"{name}: converting and measuring")
        item = measure(converter.write(name), source, reference)
        measured.append(item)
        failed += failed_checks(item, tolerances, source.spec.labels)
    if failed:
        raise ParityError("nothing is published, because " + "; ".join(failed))
    return measured


def failed_checks(item: Measured, tolerances: Tolerances, labels: Sequence[str]) -> list[str]:
    """Say which checks an artifact fails, in its own backend and in the others."""
    candidate = item.candidate
    found = [f"{candidate.name}: {why}" for why in failures(candidate.precision, item.parity, tolerances, labels)]
    for backend, parity in item.elsewhere.items():
        # Kernels of other runtimes differ in the last bits, so even float32 answers to agreement here.
        if parity.top1_agreement < tolerances.min_agreement:
            found.append(
                f"{candidate.name} in {backend}: top-1 agreement {parity.top1_agreement:.3f} on {parity.images} images"
                f" is under {tolerances.min_agreement:g} (--min-agreement {int(parity.top1_agreement * 1000) / 1000:g}"
                " would pass)"
            )
    return found


def manifest(source: SourceModel, measured: Sequence[Measured], folder: Path) -> dict[str, Any]:
    """Describe the bundle in `folder`; equal runs and tools give equal manifests."""
    names = [item.candidate.name for item in measured]
    others = sorted(path for path in (folder / "golden").iterdir())
    return {
        "version": MANIFEST_VERSION,
        "spec": source.spec.to_json(),
        "default": next(name for name in DEFAULT_ORDER if name in names),
        "artifacts": [
            {
                "name": item.candidate.name,
                "precision": item.candidate.precision,
                "format": item.candidate.format,
                "file": _file(item.candidate.path, folder),
                "parity": item.parity.to_json(),
            }
            for item in measured
        ],
        "files": [_file(path, folder) for path in (folder / "labels.txt", *others)],
        "versions": {"python": platform.python_version(), **tool_versions()},
    }


def tool_versions() -> dict[str, str]:
    """Give the installed version of each tool that shapes a bundle, by distribution name."""
    return {name: found for name in TOOLS if (found := _version(name))}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _file(path: Path, folder: Path) -> dict[str, Any]:
    return {
        "path": path.relative_to(folder).as_posix(),
        "size_bytes": path.stat().st_size,
        "sha256": sha256_of(path),
    }
