"""The whole path of an export on one page: read, convert, measure, judge, write, and rename to the final name."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_runtime.model.manifest import MANIFEST_NAME
from edge_runtime.storage.json_files import write_json, write_text
from edge_runtime.storage.publish import published_folder
from export.bundle.golden import write_golden
from export.bundle.manifest import manifest
from export.bundle.report import report_json, write_report
from export.errors import ExportError
from export.proof.prove import Proof, prove
from export.proof.verify import verify_bundle
from export.sources.foreign import ForeignModel, read_foreign
from export.sources.run import read_run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from export.proof.plan import Plan
    from export.sources.source_model import SourceModel


@dataclass(frozen=True)
class Exported:
    """A published bundle and its proof.

    Attributes:
        folder: the bundle.
        proof: the results of every artifact.

    """

    folder: Path
    proof: Proof


def export_run(
    run: Path, out: Path, plan: Plan, *, overwrite: bool = False, progress: Callable[[str], None] = lambda _: None
) -> Exported:
    """Export a run to a bundle. Nothing is published unless all artifacts that are not expendable pass.

    Args:
        run: the folder that `edge-train train` wrote.
        out: the bundle's folder.
        plan: the artifacts and the limits.
        overwrite: replace an older bundle, which stays whole until the new one is complete.
        progress: called with each line of progress.

    Raises:
        ExportError: the run is unreadable, a conversion fails, a runtime refuses a file, or `out` exists.
        ParityError: an artifact fails a check; the message names the tolerance with which it would have passed.

    """
    images = plan.settings.calibration_images
    return _publish(
        lambda: read_run(run, calibration_images=images), run, out, plan, overwrite=overwrite, progress=progress
    )


def export_foreign(
    given: ForeignModel,
    out: Path,
    plan: Plan,
    *,
    overwrite: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> Exported:
    """Export a Keras classifier that edge-train did not write; otherwise like `export_run`."""
    images = plan.settings.calibration_images

    def read() -> SourceModel:
        return read_foreign(given, calibration_images=images, progress=progress)

    return _publish(read, given.path, out, plan, overwrite=overwrite, progress=progress)


def _publish(
    read: Callable[[], SourceModel],
    origin: Path,
    out: Path,
    plan: Plan,
    *,
    overwrite: bool,
    progress: Callable[[str], None],
) -> Exported:
    try:
        with published_folder(out, overwrite=overwrite, error=ExportError) as staging:
            progress(f"reading {origin}")
            return Exported(out, fill(staging, read(), plan, progress))
    except OSError as problem:
        if problem.errno not in {errno.ENOSPC, errno.EDQUOT, errno.EROFS}:
            raise
        raise ExportError(f"{out}: cannot be written: {problem.strerror}; nothing is published") from None


def fill(staging: Path, source: SourceModel, plan: Plan, progress: Callable[[str], None]) -> Proof:
    """Write a complete bundle of a model into a temporary folder. Raise as `export_run` does."""
    proof = prove(source, plan, staging, progress)
    progress("writing golden images and the report")
    write_golden(source, proof.measured, staging)
    write_text(staging / "labels.txt", "".join(f"{label}\n" for label in source.spec.labels))
    write_json(staging / MANIFEST_NAME, manifest(source.spec, proof.measured, staging))
    write_report(report_json(source, proof, plan), source, staging)
    progress("verifying the finished bundle in every installed runtime")
    verify_bundle(staging)
    return proof
