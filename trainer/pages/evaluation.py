"""Make the HTML page of `edge-train evaluate`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edge_runtime.familiarity.subspace import MIN_FAMILIARITY
from trainer.evaluation.calibration import calibration_error, reliability
from trainer.evaluation.familiarity import kept_share
from trainer.evaluation.learning_curve import LearningCurve
from trainer.evaluation.plots import familiarity_curves, learning_curve_figure, two_class_curves
from trainer.evaluation.scores import wrong_decisions
from trainer.pages.page import Plot, picture, plot, render_page

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trainer.evaluation.familiarity import Separation
    from trainer.evaluation.scores import ClassScore
    from trainer.runs.measure import Measured

MAX_MISTAKES = 48
MAX_ACCEPTED = 24
MAX_CONFUSIONS = 20
MAX_MATRIX_CLASSES = 24


class Confusion(NamedTuple):
    """Photographs of one class that are decided as another class.

    Attributes:
        true_label: their class.
        decided_label: the class that the model decides.
        photos: number of photographs.
        fraction: part of the photographs of their class, 0..1.

    """

    true_label: str
    decided_label: str
    photos: int
    fraction: float


class Mistake(NamedTuple):
    """A photograph that is decided wrongly.

    Attributes:
        picture: a data: address.
        true_label: its class.
        decided_label: the class that the model decides.
        score: the probability of the decided class, 0..1.
        explained: the picture with the places that speak for the decided class; empty without pooled features.

    """

    picture: str
    true_label: str
    decided_label: str
    score: float
    explained: str


class Accepted(NamedTuple):
    """An image of none of the classes that is familiar.

    Attributes:
        picture: a data: address.
        kind: the kind of image.
        familiarity: 0..1.

    """

    picture: str
    kind: str
    familiarity: float


class LabelMistakeView(NamedTuple):
    """A photograph whose label is probably wrong.

    Attributes:
        picture: a data: address.
        path: relative to the data folder.
        label: its label.
        looks_like: the class that it looks like.
        probability: of that class, 0..1.

    """

    picture: str
    path: str
    label: str
    looks_like: str
    probability: float


class CurveView(NamedTuple):
    """What the page shows of the learning curve.

    Attributes:
        result: the curve; None if it could not be measured.
        reason: why it could not be measured, or an empty text.
        drawn: its plot, or None.

    """

    result: LearningCurve | None
    reason: str
    drawn: Plot | None


class FamiliarityView(NamedTuple):
    """What the page shows of the familiarity.

    Attributes:
        kept: fraction of the photographs that are familiar, 0..1.
        accuracy: the accuracy on them, 0..1; None if there are none.
        separations: how well each kind of other images is separated from them.
        curves: histograms and ROC.
        accepted: the most familiar of the other images that are familiar.
        accepted_count: the number of all of them.

    """

    kept: float
    accuracy: float | None
    separations: Mapping[str, Separation]
    curves: Plot
    accepted: list[Accepted]
    accepted_count: int


def render(measured: Measured, title: str) -> str:
    """Return the page.

    Args:
        measured: the result of `measure_run`.
        title: the heading, which names the RUN and the photographs.

    """
    evaluation = measured.evaluation
    return render_page(
        "evaluation.html",
        title=title,
        evaluation=evaluation,
        calibration_error=calibration_error(reliability(measured.probabilities, measured.targets)),
        weakest=weakest_class(evaluation.per_class),
        labels=measured.spec.labels,
        show_matrix=len(measured.spec.labels) <= MAX_MATRIX_CLASSES,
        confusions=confusions(evaluation.confusion, measured.spec.labels)[:MAX_CONFUSIONS],
        curves=_curves(measured),
        mistakes=_mistakes(measured),
        familiarity=_familiarity(measured),
        curve=_learning_curve(measured.curve),
        label_mistakes=_label_mistakes(measured),
        wrong=int(np.sum(measured.probabilities.argmax(axis=1) != measured.targets)),
    )


def _familiarity(measured: Measured) -> FamiliarityView | None:
    """Return what the page shows of the familiarity; None if the model computes none."""
    found = measured.familiarity
    if found is None:
        return None
    accepted = [
        Accepted(picture(images[at]), name, float(values[at]))
        for name, (images, values) in found.others.items()
        for at in np.flatnonzero(values >= MIN_FAMILIARITY)
    ]
    return FamiliarityView(
        kept=kept_share(found.known),
        accuracy=found.accuracy_of_kept,
        separations=found.separations,
        curves=plot(lambda: familiarity_curves(found.known, {name: one for name, (_, one) in found.others.items()})),
        accepted=sorted(accepted, key=lambda one: -one.familiarity)[:MAX_ACCEPTED],
        accepted_count=len(accepted),
    )


def _learning_curve(curve: LearningCurve | str) -> CurveView:
    if isinstance(curve, LearningCurve):
        return CurveView(curve, "", plot(lambda: learning_curve_figure(curve)))
    return CurveView(None, curve, None)


def _label_mistakes(measured: Measured) -> list[LabelMistakeView]:
    return [
        LabelMistakeView(picture(one.pixels), one.path, one.label, one.looks_like, one.probability)
        for one in measured.label_mistakes
    ]


def weakest_class(scores: tuple[ClassScore, ...]) -> ClassScore:
    """Return the class with the lowest recall among those with photographs, of which there is at least one."""
    return min((score for score in scores if score.support), key=lambda score: score.recall)


def confusions(counts: tuple[tuple[int, ...], ...], labels: tuple[str, ...]) -> list[Confusion]:
    """Return the confused pairs of classes, the most frequent first.

    Args:
        counts: the confusion matrix; row: true class, column: decided class.
        labels: the classes, in the order of the rows and columns.

    """
    found = [
        Confusion(labels[row], labels[column], count, count / sum(line))
        for row, line in enumerate(counts)
        for column, count in enumerate(line)
        if count and row != column
    ]
    return sorted(found, key=lambda confusion: -confusion.photos)


def _curves(measured: Measured) -> Plot | None:
    """Draw the curves, which are defined for two classes if there are photographs of both."""
    if len(measured.spec.labels) != 2 or len(np.unique(measured.targets)) != 2:
        return None
    scores, label = measured.probabilities[:, 1], measured.spec.labels[1]
    return plot(lambda: two_class_curves(scores, measured.targets, label))


def _mistakes(measured: Measured) -> list[Mistake]:
    """Return wrongly decided photographs in descending order of the decided class's probability."""
    decided, scores = measured.probabilities.argmax(axis=1), measured.probabilities.max(axis=1)
    labels, drawn = measured.spec.labels, measured.explained
    return [
        Mistake(
            picture=picture(measured.pixels[at]),
            true_label=labels[measured.targets[at]],
            decided_label=labels[decided[at]],
            score=float(scores[at]),
            explained=picture(drawn[at]) if at in drawn else "",
        )
        for at in map(int, wrong_decisions(measured.probabilities, measured.targets)[:MAX_MISTAKES])
    ]
