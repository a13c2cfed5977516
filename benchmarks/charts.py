"""Draw the charts of the benchmark page from the results into results/*.png."""

from __future__ import annotations

import re
from itertools import cycle
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.ticker import LogLocator, NullLocator

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Results = dict[str, Any]
MARKERS = {"float32": "o", "float16": "s", "dynamic": "^", "int8": "D", "int16x8": "P"}
BACKGROUND, TEXT, GREY = "#ffffff", "#1f2933", "#9aa5b1"
COLOURS = [
    "#1f6feb",
    "#d9730d",
    "#2da44e",
    "#8250df",
    "#cf222e",
    "#6e7781",
    "#0e9aa7",
    "#bf3989",
    "#9a6700",
    "#0a3069",
    "#b6e300",
    "#24292f",
]
WAYS = (
    ("image_data_generator", "ImageDataGenerator", COLOURS[1]),
    ("edge_train", "edge-train", COLOURS[0]),
    ("floor", "no data pipeline", GREY),
)
STYLE = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e7eb",
    "text.color": TEXT,
    "axes.labelcolor": TEXT,
    "xtick.color": TEXT,
    "ytick.color": TEXT,
}


def draw(results: Results, folder: Path) -> list[Path]:
    """Draw every chart whose result exists and return the files."""
    written = []
    with plt.style.context(STYLE):
        for name, make in CHARTS.items():
            figure = make(results)
            if figure is not None:
                path = folder / f"{name}.png"
                figure.savefig(path, dpi=120, facecolor=BACKGROUND, metadata={"Software": None})
                plt.close(figure)
                written.append(path)
    return written


def artifacts(results: Results) -> Figure | None:
    """Draw accuracy against latency and size, as means over seeds: a colour per model, a marker per precision."""
    runs = _group_seeds((results.get("export") or {}).get("runs") or [])
    if not runs:
        return None
    figure, (by_time, by_size) = plt.subplots(1, 2, sharey=True, figsize=(9.5, 5.2), layout="constrained")
    for by_artifact, colour in zip(runs.values(), cycle(COLOURS), strict=False):
        for artifact, items in by_artifact.items():
            precision, file_format = artifact.split(".")
            milliseconds, size, accuracy = (
                mean(item[name] for item in items) for name in ("latency_ms", "size_bytes", "accuracy")
            )
            style: dict[str, Any] = {
                "marker": MARKERS.get(precision, "o"),
                "s": 46,
                "edgecolors": colour,
                "facecolors": colour if file_format == "tflite" else BACKGROUND,
                "linewidths": 1.4,
            }
            by_time.scatter(milliseconds, 100 * accuracy, **style)
            by_size.scatter(size / 1e6, 100 * accuracy, **style)
    by_time.set(xlabel="latency of one image, one thread, ms", ylabel="accuracy on held-out photographs, %")
    by_size.set(xlabel="file size, MB")
    for axes in (by_time, by_size):
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.xaxis.set_minor_locator(NullLocator())
    _legend(figure, list(runs), [artifact for by_artifact in runs.values() for artifact in by_artifact])
    return figure


def _group_seeds(runs: list[dict[str, Any]]) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Group the rows of runs that differ only in their seed, by the run's name without the seed and by artifact."""
    groups: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for run in runs:
        by_artifact = groups.setdefault(re.sub(r"-seed\d+$", "", run["run"]), {})
        for item in run["artifacts"]:
            by_artifact.setdefault(item["artifact"], []).append(item)
    return groups


def _legend(figure: Figure, runs: list[str], used: list[str]) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], marker="s", linestyle="", color=colour, label=name)
        for name, colour in zip(runs, cycle(COLOURS), strict=False)
    ]
    for precision, marker in MARKERS.items():
        if any(name.startswith(f"{precision}.") for name in used):
            handles.append(Line2D([], [], marker=marker, linestyle="", color=GREY, label=precision))
    if any(name.endswith(".onnx") for name in used):
        handles.append(
            Line2D(
                [],
                [],
                marker="o",
                linestyle="",
                markeredgecolor=GREY,
                markerfacecolor=BACKGROUND,
                label="not filled: ONNX",
            )
        )
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)


def frame(results: Results) -> Figure | None:
    """Draw the latency of a photograph as a stacked bar of its stages."""
    row = (results.get("runtime") or {}).get("jpeg_1080p")
    if not row:
        return None
    figure, axes = plt.subplots(figsize=(8, 1.9), layout="constrained")
    stages = (("decode", "decode_ms"), ("resize", "resize_ms"), ("inference", "invoke_ms"))
    parts = [(name, row[key]) for name, key in stages if key in row]
    rest = row.get("total_ms", 0.0) - sum(value for _, value in parts)
    if rest > 0:
        parts.append(("other", rest))
    left = 0.0
    for (name, value), colour in zip(parts, (*COLOURS[:3], GREY), strict=False):
        axes.barh(0, value, left=left, color=colour, height=0.6, label=f"{name} {value:.2f} ms")
        left += value
    axes.set(yticks=[], xlabel="ms", title="One 1920 x 1080 JPEG, one thread")
    axes.grid(visible=False, axis="y")
    figure.legend(loc="outside lower center", ncols=4, frameon=False)
    return figure


def other_runtimes(results: Results) -> Figure | None:
    """Draw cold start and memory of Edgewise, ONNX Runtime and Keras."""
    rows = (results.get("other_runtimes") or {}).get("peers") or []
    return _cold_starts([(row["name"], row["cold_ms"], row["peak_mb"]) for row in rows])


def mediapipe(results: Results) -> Figure | None:
    """Draw cold start and memory of Edgewise, a bare loop and MediaPipe."""
    row = (results.get("runtime") or {}).get("cold_start") or {}
    programs = (("edge_run", "Edgewise"), ("bare", "bare LiteRT loop"), ("mediapipe", "MediaPipe"))
    if "mediapipe_ms" not in row:
        return None
    return _cold_starts([(name, row[f"{key}_ms"], row[f"{key}_mb"]) for key, name in programs])


def _cold_starts(rows: list[tuple[str, float, float]]) -> Figure | None:
    """Draw the milliseconds and megabytes of each program, with Edgewise in colour."""
    if not rows:
        return None
    figure, (time_axes, memory_axes) = plt.subplots(
        1, 2, sharey=True, figsize=(9.5, 1.2 + 0.42 * len(rows)), layout="constrained"
    )
    names, milliseconds, megabytes = (list(column) for column in zip(*rows, strict=True))
    colours = [COLOURS[0] if name.startswith("Edgewise") else GREY for name in names]
    _bars(time_axes, names, [value / 1e3 for value in milliseconds], colours, "{:.2f} s")
    _bars(memory_axes, names, megabytes, colours, "{:.0f} MB")
    time_axes.set(title="Cold start", xlabel="s")
    memory_axes.set(title="Peak memory", xlabel="MB")
    time_axes.invert_yaxis()
    return figure


def loop(results: Results) -> Figure | None:
    """Draw the accuracy against the number of labels, as means over seeds with their standard errors."""
    rows = (results.get("loop") or {}).get("rows")
    if not rows:
        return None
    sets = list(dict.fromkeys(row["data"] for row in rows))
    figure, every = plt.subplots(1, len(sets), figsize=(1 + 4 * len(sets), 3.6), layout="constrained", squeeze=False)
    for axes, data in zip(every[0], sets, strict=True):
        for arm, name, colour in (("hard", "--keep-hard", COLOURS[0]), ("random", "random", COLOURS[1])):
            own = [row for row in rows if row["data"] == data and row["arm"] == arm]
            points = []
            for one in sorted({row["round"] for row in own}):
                values = [100 * row["accuracy"] for row in own if row["round"] == one]
                labels = mean(row["labels"] for row in own if row["round"] == one)
                error = stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0.0
                points.append((labels, mean(values), error))
            axes.errorbar(*zip(*points, strict=True), label=name, color=colour, marker="o", capsize=3)
        axes.set(title=data, xlabel="labelled photographs", ylabel="accuracy on test photographs, %")
        axes.legend(frameon=False)
    return figure


def training(results: Results) -> Figure | None:
    """Draw the seconds per epoch with each data pipeline."""
    seconds = ((results.get("training") or {}).get("epoch") or {}).get("median_s")
    if not seconds:
        return None
    ways = [(name, seconds[way], colour) for way, name, colour in WAYS if way in seconds]
    figure, axes = plt.subplots(figsize=(8, 1.0 + 0.42 * len(ways)), layout="constrained")
    names, values, colours = (list(column) for column in zip(*ways, strict=True))
    _bars(axes, names, values, colours, "{:.1f} s")
    axes.set(title="One epoch of the baseline CNN", xlabel="s")
    axes.invert_yaxis()
    return figure


def _bars(axes: Axes, names: list[str], values: list[float], colours: list[str], form: str) -> None:
    bars = axes.barh(names, values, color=colours, height=0.65)
    axes.bar_label(bars, [form.format(value) for value in values], padding=3)
    axes.set_xlim(0, 1.22 * max(values))
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)


CHARTS: dict[str, Callable[[Results], Figure | None]] = {
    "artifacts": artifacts,
    "frame": frame,
    "loop": loop,
    "mediapipe": mediapipe,
    "other_runtimes": other_runtimes,
    "training": training,
}
