"""The result of `edge-train evaluate`, as one HTML page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trainer.evaluation.calibration import calibration_error, reliability
from trainer.evaluation.plots import confusion_matrix, per_class_bars, two_class_curves
from trainer.pages.page import figure, page, paragraph, section, sheet, table

if TYPE_CHECKING:
    from trainer.runs.measure import Measured

MISTAKES, COLUMNS = 32, 8


def render(measured: Measured, title: str) -> str:
    """Give the page."""
    evaluation = measured.evaluation
    error = calibration_error(reliability(measured.probabilities, measured.targets))
    parts = [
        paragraph(f"{evaluation.summary()}. Expected calibration error {error:.3f}."),
        section("Classes", _classes(measured), figure(per_class_bars(evaluation), "Precision and recall")),
        section("Confusion", figure(confusion_matrix(evaluation), "True and decided classes")),
    ]
    if len(measured.spec.labels) == 2 and len(np.unique(measured.targets)) == 2:
        curves = two_class_curves(measured.probabilities[:, 1], measured.targets, measured.spec.labels[1])
        parts.append(section("Every threshold", figure(curves, "ROC and precision over recall")))
    return page(title, [*parts, _mistakes(measured)])


def _classes(measured: Measured) -> str:
    rows = [
        (score.label, f"{score.precision:.1%}", f"{score.recall:.1%}", f"{score.f1:.1%}", score.support)
        for score in measured.evaluation.per_class
    ]
    return table(("class", "precision", "recall", "F1", "images"), rows)


def _mistakes(measured: Measured) -> str:
    """Show the photographs that were decided wrongly, the surest first."""
    decided, score = measured.probabilities.argmax(axis=1), measured.probabilities.max(axis=1)
    wrong = np.flatnonzero(decided != measured.targets)
    if not len(wrong):
        return section("Worst mistakes", paragraph("There are none."))
    worst = wrong[np.argsort(-score[wrong], kind="stable")][:MISTAKES]
    labels = measured.spec.labels
    rows = [
        (number, labels[measured.targets[at]], labels[decided[at]], f"{score[at]:.1%}")
        for number, at in enumerate(worst, 1)
    ]
    pictures = sheet([measured.pixels[at] for at in worst], COLUMNS)
    told = figure(pictures, "The surest mistakes first, in the table's order")
    return section("Worst mistakes", told, table(("picture", "is", "decided", "score"), rows))
