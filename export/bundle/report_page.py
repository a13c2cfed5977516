"""Make report.html: which artifact is the default and why, then all measurements."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from export.bundle import report_charts
from export.bundle.default_artifact import compare_with_default
from export.bundle.report_charts import picture, size_latency_chart

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge_runtime.image.preprocess import Pixels

MAX_PICTURES = 24
MAX_CONFUSION_CLASSES = 24
MAX_LISTED_CLASSES = 30
MAX_LAYERS = 10
NO_ADVANTAGE = "No other artifact in this bundle is smaller, faster on this computer or more accurate."
NO_ADVANTAGE_UNCHECKED = "No other artifact in this bundle is smaller or faster on this computer."


class RuntimeTable(NamedTuple):
    """The agreement of the artifacts of one format in every runtime.

    Attributes:
        file_format: "tflite" or "onnx".
        runtimes: the names of the columns.
        rows: the artifact's name and, for each runtime, the JSON object of its parity, or None if it was not run.

    """

    file_format: str
    runtimes: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Mapping[str, Any] | None]]]


class ShownFlip(NamedTuple):
    """An image whose class changed, as the page shows it."""

    picture: str
    true_label: str
    reference_label: str
    reference_score: float
    candidate_label: str
    candidate_score: float


def html_page(report: Mapping[str, Any], holdout: Pixels) -> str:
    """Return a page that contains its style and its pictures, so that it opens without a network.

    Args:
        report: from `export.bundle.report.report_json`.
        holdout: the held-out images, uint8 (n_images, height, width, 3), for pictures of those whose class changed.

    """
    default = next(item for item in report["artifacts"] if item["name"] == report["default"])
    return (
        templates()
        .get_template("report.html")
        .render(
            report=report,
            default=default,
            comparison=comparison(report),
            runtimes=runtime_tables(report["artifacts"]),
            flips=[_shown_flip(flip, report["labels"], holdout) for flip in default["flips"][:MAX_PICTURES]],
            mistakes=sorted(report["fragility"], key=lambda item: float(item["accuracy"])),
            chart=size_latency_chart(report),
        )
    )


@cache
def templates() -> Environment:
    """Return the environment of the page's templates; it escapes all values."""
    environment = Environment(
        loader=ChoiceLoader([PackageLoader("export.bundle"), PackageLoader("edge_runtime.web", "static")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        percent=lambda fraction: f"{fraction:.1%}",
        points=lambda fraction: f"{100 * fraction + 0.0:.1f}",
        kilobytes=lambda size_bytes: f"{size_bytes / 1000:,.0f}",
        milliseconds=lambda latency_ms: f"{latency_ms:.2f}",
        coordinate=lambda value: f"{value:.1f}",
        result=short_result,
    )
    environment.globals.update(
        area={
            name: getattr(report_charts, name.upper())
            for name in ("width", "height", "left", "right", "top", "bottom", "radius")
        },
        max_layers=MAX_LAYERS,
        max_listed=MAX_LISTED_CLASSES,
        max_confusion_classes=MAX_CONFUSION_CLASSES,
    )
    return environment


def comparison(report: Mapping[str, Any]) -> list[str]:
    """Return sentences on the artifacts that the report's table shows to be better than the default in some column."""
    if len(report["artifacts"]) == 1:
        return []
    return compare_with_default(report) or [NO_ADVANTAGE_UNCHECKED if report["unchecked"] else NO_ADVANTAGE]


def runtime_tables(artifacts: Sequence[Mapping[str, Any]]) -> list[RuntimeTable]:
    """Return one table for each file format of the artifacts."""
    tables = []
    for file_format in ("tflite", "onnx"):
        parities = {
            item["name"]: {item["backend"]: item["parity"], **item["elsewhere"]}
            for item in artifacts
            if item["name"].endswith(f".{file_format}")
        }
        runtimes = list(dict.fromkeys(runtime for found in parities.values() for runtime in found))
        rows = [(name, [found.get(runtime) for runtime in runtimes]) for name, found in parities.items()]
        if rows:
            tables.append(RuntimeTable(file_format, runtimes, rows))
    return tables


def short_result(failures: Sequence[str]) -> str:
    """Return an attempt's first failure without the artifact's name and the option that would pass; or "passed"."""
    return failures[0].split(": ", 1)[-1].split(" (--")[0] if failures else "passed"


def _shown_flip(flip: Mapping[str, Any], labels: Sequence[str], holdout: Pixels) -> ShownFlip:
    return ShownFlip(
        picture(holdout[flip["image"]]),
        labels[flip["label"]],
        labels[flip["reference"]],
        flip["reference_score"],
        labels[flip["candidate"]],
        flip["candidate_score"],
    )
