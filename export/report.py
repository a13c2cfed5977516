"""The report that goes with a bundle: report.json for programs, report.html for a person."""

from __future__ import annotations

from dataclasses import asdict
from html import escape
from typing import TYPE_CHECKING, Any

from edge_runtime.jsonio import write_json, write_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from export.gate import Tolerances
    from export.measure import Measured
    from export.source_model import SourceModel

STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; margin: 1rem 0; }
th, td { padding: .35rem .6rem; border-bottom: 1px solid #8884; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
.scroll { overflow-x: auto; }
"""


def report_json(source: SourceModel, measured: Sequence[Measured], tolerances: Tolerances) -> dict[str, Any]:
    """Give everything that was measured, times included, as a JSON object."""
    return {
        "labels": list(source.spec.labels),
        "calibration_images": len(source.calibration),
        "holdout_images": len(source.holdout),
        "tolerances": asdict(tolerances),
        "artifacts": [
            {
                "name": item.candidate.name,
                "size_bytes": item.candidate.path.stat().st_size,
                "backend": item.candidate.backend,
                "latency_ms": round(item.latency_ms, 3),
                "parity": item.parity.to_json(),
                "elsewhere": {backend: parity.to_json() for backend, parity in item.elsewhere.items()},
            }
            for item in measured
        ],
    }


def write_report(report: dict[str, Any], folder: Path) -> None:
    """Write report.json and report.html; the page needs no network."""
    write_json(folder / "report.json", report)
    write_text(folder / "report.html", _html(report))


def summary_rows(report: dict[str, Any]) -> list[tuple[str, ...]]:
    """Give the table that a person reads first: a header row, then one row an artifact."""
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


def _detail_rows(report: dict[str, Any]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("artifact", "runtime", "images", "max diff", "mean diff", "SNR dB", "agreement")]
    for item in report["artifacts"]:
        for backend, parity in ((item["backend"], item["parity"]), *item["elsewhere"].items()):
            snr = parity["snr_db"]
            rows.append(
                (
                    item["name"],
                    backend,
                    str(parity["images"]),
                    f"{parity['max_abs_diff']:.2g}",
                    f"{parity['mean_abs_diff']:.2g}",
                    "equal" if snr is None else f"{snr:.1f}",
                    f"{parity['top1_agreement']:.1%}",
                )
            )
    return rows


def _html(report: dict[str, Any]) -> str:
    limits = report["tolerances"]
    reference = report["artifacts"][0]["parity"]["reference_accuracy"]
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Export report</title><style>{STYLE}</style></head><body>
<h1>Export report</h1>
<p>Classes: {escape(", ".join(report["labels"]))}. The trained model scores {reference:.1%} on
{report["holdout_images"]} held-out images; each artifact below was written, opened again in the runtime of a device
and run on the same images. Quantization was calibrated on {report["calibration_images"]} training images.</p>
<h2>Artifacts</h2>
{_table(summary_rows(report))}
<p>Agreement is the share of images that get the trained model's class. Times are medians of one image on one thread
of the machine that exported; they compare artifacts, not devices.</p>
<h2>Parity in each runtime</h2>
{_table(_detail_rows(report))}
<p>Limits: float32 within {limits["max_abs_diff"]:g} and in full agreement; the others agree on at least
{limits["min_agreement"]:.1%}, lose at most {limits["max_accuracy_loss"]:.1%} of accuracy and
{limits["max_recall_loss"]:.1%} of any class's recall.</p>
</body></html>
"""


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in rows[0])
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows[1:])
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
