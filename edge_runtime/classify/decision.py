"""Turn probabilities into a decision: top classes, thresholds, unknown."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edge_runtime.errors import InferenceError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_runtime.model.spec import ModelSpec

UNKNOWN = "unknown"


class Scored(NamedTuple):
    """A class and its probability in 0..1."""

    label: str
    score: float


class Decision(NamedTuple):
    """A decision: the label, or UNKNOWN below its threshold; the top class's score; the top classes."""

    label: str
    score: float
    top: tuple[Scored, ...]


def decide(
    probabilities: NDArray[np.float32], spec: ModelSpec, *, top_k: int = 3, min_score: float | None = None
) -> Decision:
    """Decide the class of one image.

    Args:
        probabilities: shape (classes,), in the order of the spec's labels.
        spec: has the labels, and the thresholds below which the decision is UNKNOWN.
        top_k: number of classes to return, in descending order; equal scores keep the order of the labels.
        min_score: one threshold in 0..1 for all classes, instead of the spec's.

    Returns:
        The label, or UNKNOWN if the top score is below its threshold; the top score; the top classes.

    Raises:
        InferenceError: a probability is NaN or infinite.

    """
    if not math.isfinite(float(probabilities.sum())):
        raise InferenceError("the model returned NaN or infinity instead of probabilities; export it again")
    order = np.argsort(-probabilities, kind="stable")[: max(top_k, 1)]
    indices, scores = order.tolist(), probabilities[order].tolist()
    top = tuple([Scored(spec.labels[index], score) for index, score in zip(indices[:top_k], scores, strict=False)])
    best, score = indices[0], scores[0]
    threshold = spec.thresholds[best] if min_score is None else min_score
    return Decision(spec.labels[best] if score >= threshold else UNKNOWN, score, top)
