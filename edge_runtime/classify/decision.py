"""Turn probabilities into a decision: top classes, thresholds, unknown."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from edge_runtime.errors import InferenceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from edge_runtime.model.spec import ModelSpec

UNKNOWN = "unknown"


class Scored(NamedTuple):
    """A class and its probability in 0..1."""

    label: str
    score: float


class Decision(NamedTuple):
    """A decision about one image.

    Attributes:
        label: the top class, or UNKNOWN.
        score: the label's probability: the top class's, or 1 - familiarity for an unfamiliar image. If the image is
            UNKNOWN only because the top class is below its threshold, it is the top class's.
        top: the top classes with their probabilities.
        familiarity: the probability that the image belongs to what the model was trained on; None if the model does
            not compute it.

    """

    label: str
    score: float
    top: tuple[Scored, ...]
    familiarity: float | None = None


def decide(
    probabilities: NDArray[np.float32], spec: ModelSpec, *, top_k: int = 3, min_score: float | None = None
) -> Decision:
    """Decide the class of one image.

    Args:
        probabilities: shape (classes,), in the order of the spec's labels.
        spec: has the labels, the thresholds below which the decision is UNKNOWN, and the least familiarity.
        top_k: number of classes to return, in descending order; equal scores keep the order of the labels.
        min_score: one threshold in 0..1 for all classes, instead of the spec's.

    Returns:
        UNKNOWN if the familiarity is below the spec's or the top score is below its threshold, else the top class.

    Raises:
        InferenceError: a probability is NaN or infinite.

    """
    scores: list[float] = probabilities.tolist()  # for a few classes faster than NumPy's functions
    total = sum(scores)
    if not math.isfinite(total):
        raise InferenceError("the model returned NaN or infinity instead of probabilities; export it again")
    order = sorted(range(len(scores)), key=scores.__getitem__, reverse=True)[: max(top_k, 1)]  # stable
    top = tuple([Scored(spec.labels[index], scores[index]) for index in order[:top_k]])
    familiarity = None
    if spec.min_familiarity is not None:
        familiarity = min(total, 1.0)
        if total < spec.min_familiarity:
            return Decision(UNKNOWN, 1 - familiarity, top, familiarity)
    best = order[0]
    score = scores[best]
    threshold = spec.thresholds[best] if min_score is None else min_score
    return Decision(spec.labels[best] if score >= threshold else UNKNOWN, score, top, familiarity)


def decision_text(label: str, score: float, top: Sequence[Scored]) -> str:
    """Return `cat 0.98`; only `unknown` if the score is that of the top class, which is below its threshold."""
    has_own_score = label != UNKNOWN or not top or score != top[0].score
    return f"{label} {score:.2f}" if has_own_score else label
