"""Recognize a list of labels in the wrong order, by what the model computes for labelled images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from export.errors import ExportError
from export.significance import at_least, mcnemar_p

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from export.sources.reading_search import Better

SIGNIFICANCE, SURE = 0.05, 0.01
FEWEST = 4  # images of a class, half of which show the class that it is taken for
SHOWN = 3
UNKNOWN_CAUSE = "check --labels, --input-range, --normalization, --bgr and the folders' names"
CLEARLY = 0.05  # a simple order explains the classes as well as any other order does


def check_accuracy(
    predicted: NDArray[np.int64],
    truth: NDArray[np.int64],
    labels: Sequence[str],
    model: Path,
    *,
    better: Sequence[Better] = (),
    accept_chance: bool = False,
) -> list[str]:
    """Check that a model is better than chance on labelled images, and that its labels have the right order.

    Args:
        predicted: the model's class indices, (N,).
        truth: the true ones, (N,).
        labels: the labels.
        model: the file, for errors.
        better: what is better than what was stated about the input.
        accept_chance: return a problem as a warning instead.

    Returns:
        Warnings, in one line each.

    Raises:
        ExportError: the accuracy is near chance, or another order of the labels is significantly better.

    """
    accuracy = float(np.mean(predicted == truth))
    problem, corrected = order_problem(predicted, truth, labels)
    best = max((item.accuracy for item in better), default=0.0)
    if problem and best > corrected + CLEARLY:
        problem = None  # with a wrong input, the classes that are found show nothing about the labels
    where = f"{model}: its accuracy of {accuracy:.1%} on {len(truth)} images"
    # If both explain the classes equally well, as red and blue exchanged do, both are named.
    hints = [] if problem and corrected > best + CLEARLY else [item.text for item in better]
    hints += [problem] if problem else []
    if is_near_chance(predicted, truth):
        text = f"{where} is near chance: {'; or '.join(hints) or UNKNOWN_CAUSE}"
    elif problem:
        text = f"{where} is low: {'; or '.join(hints)}"
    else:
        return hints
    if not accept_chance:
        raise ExportError(f"{text}; --accept-chance publishes it nevertheless")
    return [text]


def is_near_chance(predicted: NDArray[np.int64], truth: NDArray[np.int64]) -> bool:
    """Return whether an accuracy is not significantly higher than that of always naming the most frequent class.

    An accuracy that is nearer to 1 than to chance is accepted: with very few images, nothing is significant.
    """
    hits = int((predicted == truth).sum())
    chance = float(np.bincount(truth).max() / len(truth))
    if chance == 1:  # images of one class only
        chance = 0.5
    return at_least(hits, len(truth), chance) >= SIGNIFICANCE and hits / len(truth) < (1 + chance) / 2


def order_problem(
    predicted: NDArray[np.int64], truth: NDArray[np.int64], labels: Sequence[str]
) -> tuple[str | None, float]:
    """Return in what way the labels are in the wrong order, or None, and the accuracy with the right order."""
    ranks = np.argsort(np.argsort(np.array(labels)))  # output `ranks[t]` has label t if the outputs are sorted
    orders = {
        "the labels are shifted by one (a first label, such as background, is missing)": truth + 1,
        "the labels are shifted by one (the first label is not an output of the model)": truth - 1,
        "the model's outputs are in alphabetical order, the labels are not; sort the label file": ranks[truth],
    }
    best = max(orders, key=lambda reason: float(np.mean(predicted == orders[reason])))
    hits, corrected = predicted == truth, predicted == orders[best]
    exchanged, share = _exchanged(predicted, truth, labels)
    if (exchanged and share > corrected.mean() + CLEARLY) or not _is_better(corrected, hits):
        return exchanged, share
    accuracy = float(corrected.mean())
    return f"{best}; corrected, {accuracy:.1%} instead of {hits.mean():.1%} would be right", accuracy


def _is_better(other: NDArray[np.bool_], hits: NDArray[np.bool_]) -> bool:
    return mcnemar_p(int((other & ~hits).sum()), int((hits & ~other).sum())) < SURE


def _exchanged(
    predicted: NDArray[np.int64], truth: NDArray[np.int64], labels: Sequence[str]
) -> tuple[str | None, float]:
    """Find classes that are consistently taken for others: half of the images show it, the other half confirm it.

    Returns:
        The problem, or None, and the fraction of images of the second half that confirm what the first half shows.

    """
    instead: dict[int, int] = {}
    tested, confirmed = np.zeros(len(truth), bool), np.zeros(len(truth), bool)
    for label in np.unique(truth):
        of_class = np.flatnonzero(truth == label)
        if len(of_class) < FEWEST:
            continue
        usual = int(np.bincount(predicted[of_class[::2]].clip(0)).argmax())
        instead[int(label)] = usual
        tested[of_class[1::2]] = True
        confirmed[of_class[1::2]] = predicted[of_class[1::2]] == usual
    others = {label: usual for label, usual in instead.items() if label != usual}
    if not others or len(set(instead.values())) < len(instead):  # one class that took over is no order
        return None, 0.0
    in_question = tested & np.isin(truth, list(others))
    if not _is_better(confirmed & in_question, (predicted == truth) & in_question):
        return None, 0.0
    pairs = ", ".join(f"{labels[label]!r} as {labels[usual]!r}" for label, usual in list(others.items())[:SHOWN])
    reason = f"the labels are in another order than the outputs: images of {pairs} are classified"
    return f"{reason}; correct the label file", float(confirmed.sum() / tested.sum())
