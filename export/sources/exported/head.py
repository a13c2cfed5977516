"""Decide what the output of a model is: probabilities, or logits that still need a softmax."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from export.errors import ExportError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from export.sources.exported.ends import ModelEnds
    from export.sources.keras_model import Head

SUM_TOLERANCE = 1e-2  # float16 probabilities sum to 1 only approximately
# 8-bit probabilities are rounded, each by up to half a step of 1/256; most of many small ones become zero.
HALF_STEP, EIGHT_BIT_TOLERANCE, MOST_LOST = 1 / 512, 0.2, 0.7
RANGE_TOLERANCE = 1e-3  # a kernel may return 1.0000001


def head_of(outputs: NDArray[np.float32], ends: ModelEnds, path: Path) -> Head:
    """Return what a file's outputs are, by the step that computes them and by their values.

    Args:
        outputs: for images as the file expects them, (N, units).
        ends: the file's input and output.
        path: the file, for errors.

    Raises:
        ExportError: they are neither probabilities of classes that exclude each other nor logits.

    """
    if not np.isfinite(outputs).all():
        raise ExportError(f"{path}: its outputs contain NaN or infinity; export the model again")
    head = likely_head(outputs, ends)
    low, high = float(outputs.min()), float(outputs.max())
    if head == "logits":
        return head
    if not _is_within(outputs):
        raise ExportError(
            f"{path}: its outputs {low:.3g}..{high:.3g} are not probabilities, and its last step is not one that "
            "computes logits; add a softmax and export again"
        )
    if ends.units > 1 and ends.last != "softmax" and not _sums_to_one(outputs, ends):
        sums = outputs.sum(axis=1)
        raise ExportError(
            f"{path}: its outputs sum to {float(sums.min()):.2f}..{float(sums.max()):.2f} instead of 1 (a multi-"
            "label model?); Edgewise supports models that choose one of their classes"
        )
    return head


def likely_head(outputs: NDArray[np.float32], ends: ModelEnds) -> Head:
    """Return what the outputs probably are; see `head_of`, which also checks that they are."""
    is_within = _is_within(outputs)
    may_be_logits = ends.last == "linear" or (ends.last == "scaled" and not is_within)
    if ends.units == 1:
        return "logits" if may_be_logits else "sigmoid"
    is_distribution = is_within and _sums_to_one(outputs, ends)
    return "logits" if may_be_logits and not is_distribution else "softmax"


def probabilities(outputs: NDArray[np.float32], ends: ModelEnds, head: Head) -> NDArray[np.float32]:
    """Return one probability for each class, (N, classes), from outputs, (N, units)."""
    values = outputs.astype(np.float64)
    if ends.units == 1:
        one = 1 / (1 + np.exp(-values)) if head == "logits" else values
        return np.asarray(np.concatenate([1 - one, one], axis=1), np.float32)
    if head == "logits":
        values = np.exp(values - values.max(axis=1, keepdims=True))
        values /= values.sum(axis=1, keepdims=True)
    return np.asarray(values, np.float32)


def _is_within(outputs: NDArray[np.float32]) -> bool:
    return bool(outputs.min() >= -RANGE_TOLERANCE and outputs.max() <= 1 + RANGE_TOLERANCE)


def _sums_to_one(outputs: NDArray[np.float32], ends: ModelEnds) -> bool:
    """Return whether the outputs are a distribution, but for rounding, or one that is multiplied by a familiarity."""
    sums = outputs.sum(axis=1, dtype=np.float64)
    over = lost = SUM_TOLERANCE
    if ends.precision in {"int8", "int16x8"} and ends.last != "sigmoid":
        over, lost = EIGHT_BIT_TOLERANCE, min(MOST_LOST, max(EIGHT_BIT_TOLERANCE, outputs.shape[1] * HALF_STEP))
    has_familiarity = ends.min_familiarity is not None
    return bool(sums.max() <= 1 + over and (has_familiarity or sums.min() >= 1 - lost))
