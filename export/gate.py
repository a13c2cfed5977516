"""What an artifact must reach to be published."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from export.parity import Parity


@dataclass(frozen=True)
class Tolerances:
    """The limits; float32 artifacts answer to the first and must agree on every image, the others to the rest.

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


# Accuracies are ratios of small counts: a difference of exactly the limit must not fail by its last bit.
SLACK = 1e-9


def failures(precision: str, parity: Parity, tolerances: Tolerances, labels: Sequence[str]) -> list[str]:
    """Say what an artifact fails, each with the option that would have let it pass; an empty list when nothing."""
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
        mend = "float32 must agree on all" if exact else f"--min-agreement {would_agree:g} would pass"
        found.append(
            f"{flips} of {parity.images} images change class: agreement {parity.top1_agreement:.3f},"
            f" under {agreement:g} ({mend})"
        )
    loss = parity.reference_accuracy - parity.accuracy
    if loss > tolerances.max_accuracy_loss + SLACK:
        found.append(
            f"accuracy falls from {parity.reference_accuracy:.3f} to {parity.accuracy:.3f}, more than"
            f" {tolerances.max_accuracy_loss:g} (--max-accuracy-loss {_ceil(loss, 3):g} would pass)"
        )
    if parity.worst_recall_loss > tolerances.max_recall_loss + SLACK:
        found.append(
            f"class {labels[parity.worst_recall_class]} loses {parity.worst_recall_loss:.3f} of its recall, more than"
            f" {tolerances.max_recall_loss:g} (--max-recall-loss {_ceil(parity.worst_recall_loss, 3):g} would pass)"
        )
    return found


def _ceil(value: float, digits: int) -> float:
    scale: int = 10**digits
    return math.ceil((value - SLACK) * scale) / scale
