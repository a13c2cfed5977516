"""The whole path of an export on one page: read, convert, measure, judge, write, and rename to the final name."""

from __future__ import annotations

import errno
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.drift.baseline import BASELINE_NAME
from edge_runtime.model.manifest import MANIFEST_NAME
from edge_runtime.model.training_digests import MOST_DIGESTS, TRAINING_DIGESTS, to_bytes
from edge_runtime.storage.json_files import write_json, write_text
from edge_runtime.storage.publish import published_folder
from export.bundle.default_artifact import choose_default
from export.bundle.golden import write_golden
from export.bundle.manifest import manifest
from export.bundle.report import report_json, write_report
from export.errors import ExportError
from export.proof.prove import Proof, prove
from export.proof.replacement import compare_with, open_older, refuse_if_worse
from export.proof.verify import verify_bundle
from export.sources.foreign import ForeignModel, read_foreign
from export.sources.run import read_run

if TYPE_CHECKING:
    from collections.abc import Callable

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
        progress: called with each line of progress; one that begins with a space counts within the present step.

    Raises:
        ExportError: the run is unreadable, a conversion fails, a runtime refuses a file, or `out` exists.
        ParityError: an artifact fails a check; the message names the tolerance with which it would have passed.

    """
    images = plan.settings.calibration_images
    return _publish(
        lambda _: read_run(run, calibration_images=images), run, out, plan, overwrite=overwrite, progress=progress
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

    def read(scratch: Path) -> SourceModel:
        return read_foreign(given, calibration_images=images, scratch=scratch, progress=progress)

    return _publish(read, given.path, out, plan, overwrite=overwrite, progress=progress)


def _publish(
    read: Callable[[Path], SourceModel],
    origin: Path,
    out: Path,
    plan: Plan,
    *,
    overwrite: bool,
    progress: Callable[[str], None],
) -> Exported:
    try:
        with (
            tempfile.TemporaryDirectory() as scratch,
            published_folder(out, overwrite=overwrite, error=ExportError) as staging,
        ):
            progress(f"reading {origin}")
            return Exported(out, fill(staging, read(Path(scratch)), plan, progress))
    except OSError as problem:
        if problem.errno not in {errno.ENOSPC, errno.EDQUOT, errno.EROFS}:
            raise
        raise ExportError(f"{out}: cannot be written: {problem.strerror}; nothing is published") from None


def fill(staging: Path, source: SourceModel, plan: Plan, progress: Callable[[str], None]) -> Proof:
    """Write a complete bundle of a model into a temporary folder. Raise as `export_run` does."""
    older = open_older(plan.better_than, source.spec) if plan.better_than else None
    proof = prove(source, plan, staging, progress)
    replacement = None
    if older:
        progress(f"comparing with {older.folder}")
        default = choose_default(proof.measured).name
        replacement = compare_with(older, next(one for one in proof.measured if one.candidate.name == default), source)
        refuse_if_worse(replacement)
        progress(replacement.summary())
    progress("writing golden images")
    write_golden(source, proof.measured, staging)
    if source.learnt_keys is not None and len(source.learnt_keys) <= MOST_DIGESTS:
        (staging / TRAINING_DIGESTS).write_bytes(to_bytes(source.learnt_keys))
    if source.baseline is not None:
        write_json(staging / BASELINE_NAME, source.baseline.to_json())
    write_text(staging / "labels.txt", "".join(f"{label}\n" for label in source.spec.labels))
    write_json(staging / MANIFEST_NAME, manifest(source.spec, proof.measured, staging))
    progress("measuring common preprocessing mistakes for the report")
    report = {**report_json(source, proof, plan, progress), "better_than": replacement and replacement.to_json()}
    write_report(report, source, staging)
    progress("verifying the finished bundle in every installed runtime")
    verify_bundle(staging, progress)
    return proof
