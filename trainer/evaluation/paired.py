"""Compare two models on the same photographs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from scipy.stats import binomtest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SIGNIFICANCE = 0.05
Verdict = Literal["better", "worse", "no difference"]


class ClassPair(NamedTuple):
    """The photographs of one class.

    Attributes:
        label: the class.
        images: number of photographs.
        old: number that the old model decides correctly.
        new: number that the new model decides correctly.
        only_old: number that only the old model decides correctly.
        only_new: number that only the new model decides correctly.
        p_worse: as in `Paired`, for this class alone.

    """

    label: str
    images: int
    old: int
    new: int
    only_old: int
    only_new: int
    p_worse: float


@dataclass(frozen=True)
class Paired:
    """The decisions of two models about the same photographs.

    Attributes:
        images: number of photographs.
        old: number that the old model decides correctly.
        new: number that the new model decides correctly.
        only_old: number that only the old model decides correctly.
        only_new: number that only the new model decides correctly.
        p_worse: the probability of at least `only_old` if both models were equally good: McNemar's exact test,
            one-sided.
        p_better: the same of at least `only_new`.
        per_class: in the order of the labels, without classes that have no photographs.

    """

    images: int
    old: int
    new: int
    only_old: int
    only_new: int
    p_worse: float
    p_better: float
    per_class: tuple[ClassPair, ...]

    @property
    def verdict(self) -> Verdict:
        """Return whether the new model is better or worse beyond chance."""
        if self.p_worse < SIGNIFICANCE:
            return "worse"
        return "better" if self.p_better < SIGNIFICANCE else "no difference"

    @property
    def worse_classes(self) -> tuple[ClassPair, ...]:
        """Return the classes in which the new model is worse beyond chance, by Bonferroni's correction."""
        return tuple(one for one in self.per_class if one.p_worse < SIGNIFICANCE / len(self.per_class))

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        per_class = {
            one.label: {name: value for name, value in one._asdict().items() if name != "label"}
            for one in self.per_class
        }
        return {**asdict(self), "verdict": self.verdict, "per_class": per_class}


def compare_paired(
    old_right: NDArray[np.bool_], new_right: NDArray[np.bool_], targets: NDArray[np.int64], labels: Sequence[str]
) -> Paired:
    """Compare which photographs two models decide correctly.

    Args:
        old_right: whether the old model is correct, shape (N,).
        new_right: whether the new model is correct, shape (N,).
        targets: class indices, shape (N,).
        labels: the classes.

    """
    every = _pair("", old_right, new_right)
    per_class = [
        _pair(label, old_right[targets == index], new_right[targets == index])
        for index, label in enumerate(labels)
        if np.any(targets == index)
    ]
    return Paired(*every[1:], p_better=mcnemar_p(every.only_new, every.only_old), per_class=tuple(per_class))


def _pair(label: str, old_right: NDArray[np.bool_], new_right: NDArray[np.bool_]) -> ClassPair:
    only_old, only_new = int(np.sum(old_right & ~new_right)), int(np.sum(new_right & ~old_right))
    counts = (len(old_right), int(old_right.sum()), int(new_right.sum()), only_old, only_new)
    return ClassPair(label, *counts, mcnemar_p(only_old, only_new))


def mcnemar_p(lost: int, gained: int) -> float:
    """Return the probability of at least this many lost photographs if loss and gain were equally likely.

    McNemar's exact test, one-sided (McNemar 1947, "Note on the sampling error of the difference between correlated
    proportions or percentages").
    """
    return float(binomtest(lost, lost + gained, 0.5, alternative="greater").pvalue) if lost + gained else 1.0
