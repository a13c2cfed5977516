"""The limits that an artifact must meet to be published."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from export.proof.significance import at_least, mcnemar_p

if TYPE_CHECKING:
    from collections.abc import Sequence

    from export.proof.parity import Parity


@dataclass(frozen=True)
class Tolerances:
    """The limits. float32 artifacts must meet the first one and agree on every image, the others must meet the rest.

    Attributes:
        max_abs_diff: largest difference of a probability, for float32 artifacts.
        min_agreement: smallest fraction of images with the reference's top class, 0..1.
        max_accuracy_loss: largest loss of accuracy, 0..1.
        max_recall_loss: largest loss of recall in any class, 0..1.

    """

    max_abs_diff: float = 1e-4
    min_agreement: float = 0.98
    max_accuracy_loss: float = 0.01
    max_recall_loss: float = 0.05


# A loss beyond its limit counts if it is statistically significant: McNemar's exact test, one-sided. For 5 images lost
# and none gained it gives 0.03. A class has few images, for which such a level would hardly ever be reached: 3 lost and
# none gained give 0.125.
SIGNIFICANCE, RECALL_SIGNIFICANCE = 0.05, 0.125
# A few percent of the photographs lie at the limit of the familiarity, where the noise of 8 bits decides; whether an
# artifact keeps fewer of them or accepts more other images is judged separately.
FAMILIAR_AGREEMENT = 0.95
# Accuracies are ratios of small counts: a difference of exactly the limit must not fail because of rounding.
SLACK = 1e-9


def failures(precision: str, parity: Parity, tolerances: Tolerances, labels: Sequence[str]) -> list[str]:
    """Return the limits that an artifact fails, each with the option with which it would pass.

    An empty list if none.
    """
    exact = precision == "float32"
    found = []
    if exact and parity.max_abs_diff > tolerances.max_abs_diff:
        would = _ceil(parity.max_abs_diff, 6)
        found.append(
            f"a probability differs by {parity.max_abs_diff:.2g}, over {tolerances.max_abs_diff:g}"
            f" (--max-abs-diff {would:g} would pass)"
        )
    agreement = 1.0 if exact else tolerances.min_agreement
    if parity.top1_agreement < agreement - SLACK:
        flips = round((1 - parity.top1_agreement) * parity.images)
        would_agree = math.floor(parity.top1_agreement * 1000) / 1000
        hint = "float32 must agree on all" if exact else f"--min-agreement {would_agree:g} would pass"
        found.append(
            f"{flips} of {parity.images} images change class: agreement {parity.top1_agreement:.3f},"
            f" under {agreement:g} ({hint})"
        )
    found += _familiar_changes(parity, 1.0 if exact else FAMILIAR_AGREEMENT)
    loss = parity.reference_accuracy - parity.accuracy
    chance = mcnemar_p(parity.lost, parity.gained)
    if loss > tolerances.max_accuracy_loss + SLACK and chance < SIGNIFICANCE:
        found.append(
            f"accuracy falls from {parity.reference_accuracy:.3f} to {parity.accuracy:.3f}, more than"
            f" {tolerances.max_accuracy_loss:g} (--max-accuracy-loss {_ceil(loss, 3):g} would pass)"
        )
    chance = mcnemar_p(parity.worst_recall_lost, parity.worst_recall_gained)
    if parity.worst_recall_loss > tolerances.max_recall_loss + SLACK and chance <= RECALL_SIGNIFICANCE:
        found.append(
            f"class {labels[parity.worst_recall_class]} loses {parity.worst_recall_loss:.3f} of its recall, more than"
            f" {tolerances.max_recall_loss:g} (--max-recall-loss {_ceil(parity.worst_recall_loss, 3):g} would pass)"
        )
    return found


def failures_elsewhere(parity: Parity, tolerances: Tolerances) -> list[str]:
    """Return what an artifact fails in another runtime or with other kernels, on the images that it ran on there.

    Kernels differ in the last bits, so that here even float32 must only agree. It fails if the number of changed
    classes is significantly higher than the limit allows.
    """
    found = _familiar_changes(parity, FAMILIAR_AGREEMENT)
    changed = round((1 - parity.top1_agreement) * parity.images)
    short = parity.top1_agreement < tolerances.min_agreement - SLACK
    if short and at_least(changed, parity.images, 1 - tolerances.min_agreement) < SIGNIFICANCE:
        would = math.floor(parity.top1_agreement * 1000) / 1000
        limit = f"{tolerances.min_agreement:g} (--min-agreement {would:g} would pass)"
        found.append(
            f"{changed} of {parity.images} images change class: agreement {parity.top1_agreement:.3f}, under {limit}"
        )
    return found


def _familiar_changes(parity: Parity, limit: float) -> list[str]:
    """Return that significantly more images change between familiar and unknown than a limit allows."""
    changed = round((1 - parity.familiar_agreement) * parity.images)
    if parity.familiar_agreement >= limit - SLACK or at_least(changed, parity.images, 1 - limit) >= SIGNIFICANCE:
        return []
    agreement = f"{parity.familiar_agreement:.3f}, under {limit:g}"
    return [f"{changed} of {parity.images} images change between familiar and unknown: agreement {agreement}"]


def _ceil(value: float, digits: int) -> float:
    scale: int = 10**digits
    return math.ceil((value - SLACK) * scale) / scale
