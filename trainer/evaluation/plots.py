"""Draw the plots of a RUN, without pyplot, so that no figure stays in memory."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

from trainer.evaluation.calibration import calibration_error

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from trainer.evaluation.calibration import Calibration
    from trainer.evaluation.learning_curve import LearningCurve
    from trainer.evaluation.scores import Evaluation
    from trainer.fitting.fit import Phase

TRAINING, VALIDATION, MARK = "#1f77b4", "#d95f02", "#7f7f7f"
KIND_COLORS = (TRAINING, VALIDATION, "#1b9e77", "#a67ac9", "#e7298a")  # of groups of images; distinct if colour-blind
DOTS_PER_INCH = 120
LONGEST_LABEL = 32


def write_plots(folder: Path, phases: Sequence[Phase], evaluation: Evaluation, calibration: Calibration) -> None:
    """Write accuracy, loss, confusion_matrix, per_class and reliability.png into an existing folder."""
    _curves(phases, "accuracy").savefig(folder / "accuracy.png")
    _curves(phases, "loss").savefig(folder / "loss.png")
    confusion_matrix(evaluation).savefig(folder / "confusion_matrix.png")
    per_class_bars(evaluation).savefig(folder / "per_class.png")
    reliability_diagram(calibration).savefig(folder / "reliability.png")


def two_class_curves(scores: NDArray[np.float64], targets: NDArray[np.int64], label: str) -> Figure:
    """Draw the ROC and the precision-recall curve of two classes.

    Args:
        scores: probability of the second class, shape (N,).
        targets: class indices, 0 or 1, both present, shape (N,).
        label: the second class.

    """
    figure = Figure(figsize=(9, 4.2), dpi=DOTS_PER_INCH, layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    false_rate, true_rate, _ = roc_curve(targets, scores)
    left.plot(false_rate, true_rate, color=TRAINING)
    left.plot([0, 1], [0, 1], color=MARK, linestyle=":", linewidth=1)
    area = roc_auc_score(targets, scores)
    left.set(xlabel="false positive rate", ylabel="true positive rate", title=f"ROC of {label}, area {area:.3f}")
    precision, recall, _ = precision_recall_curve(targets, scores)
    right.plot(recall, precision, color=VALIDATION)
    mean = average_precision_score(targets, scores)
    right.set(xlabel="recall", ylabel="precision", ylim=(0, 1.03), title=f"{label}, average precision {mean:.3f}")
    for axes in (left, right):
        axes.grid(alpha=0.3)
    return figure


def familiarity_curves(known: NDArray[np.float64], others: Mapping[str, NDArray[np.float64]]) -> Figure:
    """Draw the histograms of the familiarity and the ROC of each kind of other images.

    Args:
        known: familiarity of photographs of the classes, shape (N,).
        others: familiarity of other images by their kind, each of shape (M,).

    """
    figure = Figure(figsize=(9, 4.2), dpi=DOTS_PER_INCH, layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    edges = np.linspace(0, 1, 21)
    groups = {"photographs of the classes": known, **others}
    for (name, values), color in zip(groups.items(), KIND_COLORS, strict=False):
        share, _ = np.histogram(values, edges)
        left.stairs(share / len(values), edges, color=color, label=shorten(name), linewidth=1.6)
        if name in others:
            truth = np.concatenate([np.ones(len(known)), np.zeros(len(values))])
            false_rate, true_rate, _ = roc_curve(truth, np.concatenate([known, values]))
            right.plot(false_rate, true_rate, color=color)
    left.axvline(0.5, color=MARK, linestyle=":", linewidth=1)
    left.set(xlabel="familiarity", ylabel="fraction of the images", title="Familiarity", ylim=(0, 1.03))
    left.legend(frameon=False, loc="upper center", fontsize="small")
    right.plot([0, 1], [0, 1], color=MARK, linestyle=":", linewidth=1)
    right.set(xlabel="other images accepted", ylabel="photographs kept", title="ROC", ylim=(0, 1.03))
    for axes in (left, right):
        axes.grid(alpha=0.3)
    return figure


def learning_curve_figure(curve: LearningCurve) -> Figure:
    """Draw the accuracy over the number of training photographs, and the prediction for twice as many."""
    figure, axes = _figure(9, 4.2)
    sizes, values, lows, highs = zip(*curve.points, strict=True)
    axes.plot(sizes, values, "o-", color=TRAINING, label="measured")
    axes.fill_between(sizes, lows, highs, color=TRAINING, alpha=0.18, linewidth=0)
    total = curve.total
    error = [[max(0.0, total.twice - total.low)], [max(0.0, total.high - total.twice)]]
    axes.plot([sizes[-1], 2 * sizes[-1]], [values[-1], total.twice], ":", color=VALIDATION)
    axes.errorbar(2 * sizes[-1], total.twice, error, fmt="o", color=VALIDATION, capsize=4, label="predicted")
    axes.set_xscale("log", base=2)
    axes.set_xticks([*sizes, 2 * sizes[-1]], [str(size) for size in (*sizes, 2 * sizes[-1])])
    axes.minorticks_off()
    axes.set(xlabel="training photographs", ylabel="accuracy")
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=1))
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, loc="lower right")
    return figure


def reliability_diagram(calibration: Calibration) -> Figure:
    """Draw accuracy over confidence, before and after calibration; a calibrated model follows the diagonal."""
    figure, axes = _figure(5.2, 4.8)
    axes.plot([0, 1], [0, 1], color=MARK, linestyle=":", linewidth=1)
    parts = (("before", calibration.before, VALIDATION), ("after", calibration.after, TRAINING))
    for name, bins, color in parts:
        filled = [one for one in bins if one.images]
        error = calibration_error(bins)
        label = f"{name}, error {error:.3f}"
        axes.plot([one.confidence for one in filled], [one.accuracy for one in filled], "o-", color=color, label=label)
        for one in filled if name == "after" else ():
            axes.annotate(
                str(one.images), (one.confidence, one.accuracy), fontsize=7, xytext=(3, -9), textcoords="offset points"
            )
    axes.set(xlabel="probability of the predicted class", ylabel="fraction of correct predictions", ylim=(0, 1.03))
    axes.set_title(f"Reliability on test images, temperature {calibration.temperature:.2f}")
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def shorten(label: str) -> str:
    """Shorten a label so that a picture has room for its content."""
    return label if len(label) <= LONGEST_LABEL else label[: LONGEST_LABEL - 1] + "…"


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), dpi=DOTS_PER_INCH, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def _curves(phases: Sequence[Phase], what: str) -> Figure:
    """Draw a training metric and its validation value over the epochs of all phases."""
    figure, axes = _figure(7, 4.2)
    rows = [row for phase in phases for row in phase.epochs]
    epochs = range(1, len(rows) + 1)
    style: dict[str, Any] = {"marker": "o", "markersize": 3.0} if len(rows) < 40 else {}
    axes.plot(epochs, [getattr(row, what) for row in rows], color=TRAINING, label="training", **style)
    axes.plot(epochs, [getattr(row, f"val_{what}") for row in rows], color=VALIDATION, label="validation", **style)
    _mark_phases(axes, phases)
    axes.set(xlabel="epoch", ylabel=what, title=f"{what.capitalize()} during training")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if what == "accuracy":
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    else:
        axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def _mark_phases(axes: Axes, phases: Sequence[Phase]) -> None:
    """Draw a line at each phase's best epoch and between the phases."""
    starts = [0, *accumulate(len(phase.epochs) for phase in phases)]
    for start, phase in zip(starts, phases, strict=False):
        name = "" if len(phases) == 1 else f" of {phase.epochs[0].phase}"
        best = phase.best_epoch
        style = ":" if start == 0 else "-."
        axes.axvline(
            start + best.epoch, color=MARK, linestyle=style, linewidth=1, label=f"best epoch{name}: {best.epoch}"
        )
        if start:
            axes.axvline(start + 0.5, color=MARK, linewidth=2, alpha=0.3)


def confusion_matrix(evaluation: Evaluation) -> Figure:
    """Draw the confusion matrix: counts, shaded by their fraction of the true class."""
    counts = np.array(evaluation.confusion)
    labels = [shorten(score.label) for score in evaluation.per_class]
    fractions = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = min(16.0, 3.2 + 0.55 * len(labels))
    figure, axes = _figure(side + 0.8, side)
    image = axes.imshow(fractions, cmap="Blues", vmin=0, vmax=1)
    bar = figure.colorbar(image, ax=axes, shrink=0.8, label="fraction of the true class")
    bar.ax.yaxis.set_major_formatter(PercentFormatter(1.0))
    for (row, column), count in np.ndenumerate(counts):
        color = "white" if fractions[row, column] > 0.5 else "black" if count else "#bbbbbb"
        axes.text(column, row, str(count), ha="center", va="center", color=color)
    rotation: dict[str, Any] = (
        {} if max(map(len, labels)) <= 3 else {"rotation": 40, "ha": "right", "rotation_mode": "anchor"}
    )
    axes.set_xticks(range(len(labels)), labels, **rotation)
    axes.set_yticks(range(len(labels)), labels)
    axes.set(xlabel="predicted", ylabel="true", title=f"Confusion, {evaluation.images} test images")
    return figure


def per_class_bars(evaluation: Evaluation) -> Figure:
    """Draw precision and recall of each class as horizontal bars."""
    scores = evaluation.per_class
    figure, axes = _figure(6.5, 1.6 + 0.5 * len(scores))
    places = np.arange(len(scores))
    for offset, what, color in ((-0.19, "precision", TRAINING), (0.19, "recall", VALIDATION)):
        values = [getattr(score, what) for score in scores]
        bars = axes.barh(places + offset, values, 0.36, color=color, label=what)
        axes.bar_label(bars, [f"{value:.0%}" for value in values], padding=2, fontsize=8)
    axes.set_yticks(places, [f"{shorten(score.label)} ({score.support})" for score in scores])
    axes.invert_yaxis()
    axes.set(xlim=(0, 1.08), title=f"Per class on test images, accuracy {evaluation.accuracy:.1%}")
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_xticks(np.linspace(0, 1, 6))
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    figure.legend(loc="outside lower center", ncols=2)
    return figure


class CostPoint(NamedTuple):
    """A candidate of a search.

    Attributes:
        ms: time in milliseconds.
        kb: size in kB.
        accuracy: 0..1.
        interval: its 95% interval.
        on_frontier: whether no other candidate equals it in everything.

    """

    ms: float
    kb: float
    accuracy: float
    interval: tuple[float, float]
    on_frontier: bool


def accuracy_against_cost(points: Sequence[CostPoint]) -> Figure:
    """Draw the accuracy of candidates, at least one, against their time and their size; some are faded."""
    figure = Figure(figsize=(9, 4.2), dpi=DOTS_PER_INCH, layout="constrained")
    FigureCanvasAgg(figure)
    times, sizes = [point.ms for point in points], [point.kb for point in points]
    for axes, costs, label in zip(
        figure.subplots(1, 2, sharey=True), (times, sizes), ("ms for one image", "kB"), strict=True
    ):
        for number, (cost, point) in enumerate(zip(costs, points, strict=True), 1):
            low, high = point.interval
            axes.errorbar(
                cost,
                point.accuracy,
                yerr=[[max(0.0, point.accuracy - low)], [max(0.0, high - point.accuracy)]],
                fmt="o",
                color=VALIDATION if point.on_frontier else MARK,
                alpha=1.0 if point.on_frontier else 0.5,
            )
            axes.annotate(str(number), (cost, point.accuracy), (6, 4), textcoords="offset points")
        axes.set_xlabel(label)
        axes.set_xlim(0, 1.1 * max(costs))  # room for the numbers
        axes.grid(alpha=0.3)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    figure.axes[0].set_ylabel("accuracy on test photographs")
    return figure
