"""Write the report of a bundle: report.json for programs, report.html for people."""

from __future__ import annotations

import platform
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from edge_runtime.storage.json_files import write_json, write_text
from export.bundle.default_artifact import choose_default
from export.bundle.manifest import tool_versions
from export.bundle.report_page import html_page
from export.proof.parity import confusion, flips
from export.proof.preprocessing_mistakes import costs
from export.proof.significance import loss_interval, mcnemar_p, smallest_visible_loss

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from export.proof.measure import Measured
    from export.proof.plan import Plan
    from export.proof.prove import Proof
    from export.sources.source_model import SourceModel

MAX_LAYERS = 15  # in the report; the layers that lose most


def report_json(
    source: SourceModel, proof: Proof, plan: Plan, progress: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """Return all measurements of an export, latencies included, as a JSON object.

    Args:
        source: the trained model and its held-out images.
        proof: the results of every artifact.
        plan: the tolerances and settings of the export.
        progress: called with a line for each measurement that is made for the report.

    """
    labels, reference = source.holdout_labels, proof.reference
    classes = len(source.spec.labels)
    default = choose_default(proof.measured)
    return {
        "labels": list(source.spec.labels),
        "default": default.name,
        "default_reason": default.reason,
        "calibration_images": len(source.calibration),
        "holdout_images": len(source.holdout),
        "unchecked": source.unchecked,
        "no_familiarity": source.no_familiarity,
        "smallest_visible_loss": smallest_visible_loss(len(source.holdout)),
        "tolerances": asdict(plan.tolerances),
        "settings": asdict(plan.settings),
        "min_runtime": {str(floor): floor.installed for floor in plan.floors},
        "confusion": confusion(reference.argmax(axis=1), labels, classes).tolist(),
        "artifacts": [_artifact(item, source, reference) for item in proof.measured],
        "ladder": [asdict(attempt) for attempt in proof.attempts],
        "left_out": [asdict(attempt) for attempt in proof.left_out],
        "layers": [asdict(loss) for loss in proof.losses[:MAX_LAYERS]],
        "fragility": [asdict(cost) for cost in costs(source, reference, progress)],
        "versions": {"python": platform.python_version(), **tool_versions()},
    }


def _artifact(item: Measured, source: SourceModel, reference_of_all: NDArray[np.float32]) -> dict[str, Any]:
    reference, labels = reference_of_all[item.images], source.holdout_labels[item.images]
    reference_right, right = reference.argmax(axis=1) == labels, item.probabilities.argmax(axis=1) == labels
    changed = flips(reference, item.probabilities, labels)
    return {
        "name": item.candidate.name,
        "size_bytes": item.size_bytes,
        "backend": item.candidate.backend,
        "latency_ms": round(item.latency_ms, 3),
        "parity": item.parity.to_json(),
        "elsewhere": {runtime: parity.to_json() for runtime, parity in item.elsewhere.items()},
        "loss_interval_95": loss_interval(reference_right, right),
        "mcnemar_p": mcnemar_p(item.parity.lost, item.parity.gained),
        "flips": [{**asdict(flip), "image": int(item.images[flip.image])} for flip in changed],
        "confusion": confusion(item.probabilities.argmax(axis=1), labels, len(source.spec.labels)).tolist(),
        "requirements": asdict(item.requirements),
        "familiar": asdict(item.familiar) if item.familiar else None,
    }


def write_report(report: dict[str, Any], source: SourceModel, folder: Path) -> None:
    """Write report.json and report.html into `folder`.

    Args:
        report: from `report_json`.
        source: the held-out images, for the pictures in the page.
        folder: the bundle in preparation.

    """
    write_json(folder / "report.json", report)
    write_text(folder / "report.html", html_page(report, source.holdout))


def summary_rows(report: dict[str, Any]) -> list[tuple[str, ...]]:
    """Return the table that `edge-export export` prints: a header, then one row per artifact that passed all checks."""
    rows: list[tuple[str, ...]] = [("artifact", "size kB", "accuracy", "agreement", "ms")]
    for item in report["artifacts"]:
        parity = item["parity"]
        rows.append(
            (
                item["name"],
                f"{item['size_bytes'] / 1000:.0f}",
                f"{parity['accuracy']:.1%}",
                f"{parity['top1_agreement']:.1%}",
                f"{item['latency_ms']:.2f}",
            )
        )
    return rows
