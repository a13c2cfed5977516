"""The page that a person reads in a minute: what to ship and why, then what stands behind it."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from export.bundle.report_charts import bars, frontier, picture

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edge_runtime.image.preprocess import Pixels

MOST_PICTURES, MOST_CONFUSION_CLASSES = 12, 24
CHART_NOTE = (
    "<p class='note'>Low and left is best. Times are medians of one image on one thread of the machine that exported:"
    " they compare artifacts, not devices.</p>"
)
STYLE = """
:root { color-scheme: light dark; --accent: #0a7d4f; --soft: #8883; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 2rem auto; padding: 0 1rem; }
h1 { margin-bottom: .2rem } h2 { margin: 2.2rem 0 .4rem; font-size: 1.15rem }
.ship { border-left: 5px solid var(--accent); padding: .6rem 1rem; background: #0a7d4f14; }
.ship b { font-size: 1.25rem } .warn { border-left: 5px solid #c60; padding: .4rem 1rem; background: #cc660014 }
table { border-collapse: collapse; margin: .6rem 0; }
th, td { padding: .25rem .7rem; border-bottom: 1px solid var(--soft); text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; } tr.chosen td { font-weight: 600; color: var(--accent) }
.side { display: flex; flex-wrap: wrap; gap: 1rem 2.5rem; align-items: flex-start }
.counts th, .counts td { padding: .1rem .45rem; font-size: .85rem } td.right { background: #0a7d4f22 }
td.wrong { background: #b5541c33; font-weight: 600 } .scroll { overflow-x: auto }
figure { display: inline-block; margin: .3rem; width: 9rem; vertical-align: top; font-size: .8rem; line-height: 1.3 }
figure img { width: 7rem; height: 7rem; object-fit: cover; display: block; border-radius: 4px }
svg { width: 100%; max-width: 40rem; font: 12px system-ui, sans-serif } svg text { fill: currentColor }
svg path { stroke: currentColor; fill: none; opacity: .5 } svg circle { fill: #777 } svg rect { fill: #b5541c }
svg .chosen { fill: var(--accent); font-weight: 600 } small, .note { color: #777; font-size: .9rem }
"""


def html_page(report: dict[str, Any], holdout: Pixels) -> str:
    """Lay a report out as one page that needs no network.

    Args:
        report: from `export.bundle.report.report_json`.
        holdout: the held-out images, uint8 (n_images, height, width, 3), for pictures of those that flipped.

    """
    shipped = next(item for item in report["artifacts"] if item["name"] == report["default"])
    parts = [
        _head(report, shipped),
        "<h2>Every artifact</h2>",
        f"<div class='side'><div class='scroll'>{_artifacts(report)}</div></div>",
        frontier(report["artifacts"], report["default"]),
        CHART_NOTE,
        _left_out(report),
        _ladder(report),
        "<h2>The same class as the trained model, in every runtime</h2>",
        _matrix(report),
        _confusions(report, shipped),
        _flips(report, shipped, holdout),
        _fragility(report),
        _small_print(report),
    ]
    return (
        "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width'>"
        f"<title>Export report</title><style>{STYLE}</style></head><body>{''.join(parts)}</body></html>\n"
    )


def _head(report: dict[str, Any], shipped: dict[str, Any]) -> str:
    parity = shipped["parity"]
    low, high = shipped["loss_interval_95"]
    accuracy = f"{parity['accuracy']:.1%} of {parity['images']} held-out images right"
    trained = f"the trained model {parity['reference_accuracy']:.1%}"
    agrees = f"{parity['top1_agreement']:.1%} get the same class"
    unchecked = f"<p class='warn'>{escape(report['unchecked'])}</p>" if report["unchecked"] else ""
    figures = f"{accuracy} ({trained}), {agrees}" if not report["unchecked"] else agrees
    interval = (
        f"With these images the accuracy lost lies between {100 * low:+.1f} and {100 * high:+.1f} points (95%,"
        f" paired bootstrap; McNemar's exact test p = {shipped['mcnemar_p']:.2g}); a true loss under"
        f" {report['smallest_visible_loss']:.1%} could pass unseen."
    )
    return (
        f"<h1>Export report</h1><p class='note'>{len(report['labels'])} classes:"
        f" {escape(', '.join(report['labels']))}</p>"
        f"<div class='ship'><b>Ship {shipped['name']}</b><br>{shipped['size_bytes'] / 1e6:.2f} MB,"
        f" {shipped['latency_ms']:.2f} ms an image here: {figures}."
        " Of the forms that passed every check it is the best in size and speed together.</div>"
        f"{unchecked}<p>{interval}</p>"
    )


def _artifacts(report: dict[str, Any]) -> str:
    rows = [("artifact", "size kB", "accuracy", "agreement", "lost / gained", "max diff", "SNR dB", "cosine", "ms")]
    for item in report["artifacts"]:
        parity = item["parity"]
        rows.append(
            (
                item["name"],
                f"{item['size_bytes'] / 1000:,.0f}",
                f"{parity['accuracy']:.1%}",
                f"{parity['top1_agreement']:.1%}",
                f"{parity['lost']} / {parity['gained']}",
                f"{parity['max_abs_diff']:.2g}",
                "equal" if parity["snr_db"] is None else f"{parity['snr_db']:.0f}",
                f"{parity['cosine']:.5f}",
                f"{item['latency_ms']:.2f}",
            )
        )
    return table(rows, report["default"])


def _matrix(report: dict[str, Any]) -> str:
    tables = []
    for file_format in ("tflite", "onnx"):
        items = [item for item in report["artifacts"] if item["name"].endswith(file_format)]
        runtimes = list(dict.fromkeys(name for item in items for name in _runtimes(item)))
        rows = [("artifact", *runtimes)]
        rows += [(item["name"], *(_cell(_runtimes(item).get(name)) for name in runtimes)) for item in items]
        if items:
            tables.append(f"<div class='scroll'>{table(rows, report['default'], escaped=True)}</div>")
    return (
        f"{''.join(tables)}<p class='note'>Agreement, and the"
        " largest difference of a probability; beside its own runtime, a file is run on fewer images, balanced over"
        " the classes. report.json has the rest.</p>"
    )


def _runtimes(item: dict[str, Any]) -> dict[str, Any]:
    return {item["backend"]: item["parity"], **item["elsewhere"]}


def _cell(parity: dict[str, Any] | None) -> str:
    if parity is None:
        return "-"
    return f"{parity['top1_agreement']:.1%} <small>±{parity['max_abs_diff']:.1g} of {parity['images']}</small>"


def _confusions(report: dict[str, Any], shipped: dict[str, Any]) -> str:
    labels = report["labels"]
    if report["unchecked"] or len(labels) > MOST_CONFUSION_CLASSES:
        return ""
    pair = ((report["confusion"], "the trained model"), (shipped["confusion"], shipped["name"]))
    tables = [f"<div class='scroll'><small>{name}</small>{_counts(labels, cells)}</div>" for cells, name in pair]
    return f"<h2>Confusion before and after</h2><div class='side'>{''.join(tables)}</div>"


def _counts(labels: Sequence[str], cells: Sequence[Sequence[int]]) -> str:
    """Lay a confusion matrix out: true classes down, said ones across; zeros are left out."""
    head = "".join(f"<th>{escape(label)}</th>" for label in ("true \\ said", *labels))
    rows = []
    for at, (label, row) in enumerate(zip(labels, cells, strict=True)):
        counts = "".join(_count(value, right=at == column) for column, value in enumerate(row))
        rows.append(f"<tr><td>{escape(label)}</td>{counts}</tr>")
    return f"<table class='counts'><tr>{head}</tr>{''.join(rows)}</table>"


def _count(value: int, *, right: bool) -> str:
    kind = " class='right'" if right else " class='wrong'" if value else ""
    return f"<td{kind}>{value or ''}</td>"


def _flips(report: dict[str, Any], shipped: dict[str, Any], holdout: Pixels) -> str:
    labels, changed = report["labels"], shipped["flips"]
    if not changed:
        return f"<h2>Flipped images</h2><p>{shipped['name']} gives every image the trained model's class.</p>"
    figures = [
        f"<figure><img alt='' src='{picture(holdout[flip['image']])}'><figcaption>a {escape(labels[flip['label']])}:"
        f" {escape(labels[flip['reference']])} {flip['reference_score']:.2f} became"
        f" <b>{escape(labels[flip['candidate']])} {flip['candidate_score']:.2f}</b></figcaption></figure>"
        for flip in changed[:MOST_PICTURES]
    ]
    more = f" The first {MOST_PICTURES} of {len(changed)}." if len(changed) > MOST_PICTURES else ""
    return (
        f"<h2>Flipped images: {len(changed)} in {shipped['name']}</h2><p class='note'>Those of which the trained model"
        f" was surest come first.{more}</p>{''.join(figures)}"
    )


def _fragility(report: dict[str, Any]) -> str:
    if report["unchecked"]:
        return ""
    rows = [
        (item["mistake"], max(0.0, lost), f"{item['accuracy']:.1%} left of {item['right_accuracy']:.1%}")
        for item in sorted(report["fragility"], key=lambda item: item["accuracy"])
        for lost in [item["right_accuracy"] - item["accuracy"]]
    ]
    return (
        "<h2>What a preprocessing mistake on the device would cost</h2>"
        + bars(rows)
        + "<p class='note'>edge-run selftest BUNDLE --explain recognises these by their outputs.</p>"
    )


def _left_out(report: dict[str, Any]) -> str:
    if not report["left_out"]:
        return ""
    return f"<h2>Left out: what failed and the bundle can do without</h2>{_tried(report['left_out'])}"


def _ladder(report: dict[str, Any]) -> str:
    if not report["ladder"]:
        return ""
    return "".join(_ladder_parts(report))


def _ladder_parts(report: dict[str, Any]) -> Iterator[str]:
    yield "<h2>int8 failed: what was tried</h2>"
    yield _tried(report["ladder"])
    yield "<p>Share of each layer's signal that int8 destroys, channels counting alike:</p>"
    yield bars([(item["layer"], item["signal_lost"], f"{item['signal_lost']:.1%}") for item in report["layers"][:10]])


def _tried(attempts: Sequence[dict[str, Any]]) -> str:
    rows = [("form", "size kB", "accuracy", "ms", "verdict")]
    for attempt in attempts:
        verdict = attempt["failures"][0].split(": ", 1)[-1].split(" (--")[0] if attempt["failures"] else "passed"
        numbers = ("-", "-", "-")
        if attempt["size_bytes"] is not None:
            numbers = (
                f"{attempt['size_bytes'] / 1000:,.0f}",
                f"{attempt['accuracy']:.1%}",
                f"{attempt['latency_ms']:.2f}",
            )
        form = attempt["form"] if len(attempt["form"]) < 90 else attempt["form"][:90] + "…"
        rows.append((form, *numbers, verdict))
    return f"<div class='scroll'>{table(rows)}</div>"


def _small_print(report: dict[str, Any]) -> str:
    limits, settings = report["tolerances"], report["settings"]
    floors = ", ".join(
        f"{name} ({'loaded and run there' if ran else 'versions compared; not installed here'})"
        for name, ran in report["min_runtime"].items()
    )
    versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    return (
        "<h2>How it was checked</h2><p>"
        f"float32 within {limits['max_abs_diff']:g} and in full agreement; the others"
        f" agree on at least {limits['min_agreement']:.1%}, lose at most {limits['max_accuracy_loss']:.1%} of accuracy"
        f" and {limits['max_recall_loss']:.1%} of any class's recall, beyond chance; outputs that collapsed fail."
        f" Oldest runtimes: {floors}. Calibrated on {report['calibration_images']} training images, none of them held"
        f" out; ONNX by {settings['calibration_method']}, for {settings['target']}.</p><p class='note'>Made by"
        f" {escape(versions)}.</p>"
    )


def table(rows: Sequence[Sequence[str]], chosen: str = "", *, escaped: bool = False) -> str:
    """Lay rows out as a table, the first its head; the row that begins with `chosen` stands out."""
    clean = (lambda text: text) if escaped else escape
    head = "".join(f"<th>{clean(cell)}</th>" for cell in rows[0])
    body = "".join(
        f"<tr{' class=chosen' if row[0] == chosen else ''}>{''.join(f'<td>{clean(cell)}</td>' for cell in row)}</tr>"
        for row in rows[1:]
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
