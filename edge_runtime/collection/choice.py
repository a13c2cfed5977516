"""Choose the frames whose labels would teach a model most."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from edge_runtime.classify.decision import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_runtime.classify.decision import Scored

HardReason: TypeAlias = Literal["unfamiliar", "flipped", "close"]
Reason: TypeAlias = Literal["unfamiliar", "flipped", "close", "random"]
CLOSE_RATIO = 0.5  # a second class with half of the probability of the first


def hard_reason(
    label: str,
    top: Sequence[Scored],
    familiarity: float | None = None,
    *,
    min_familiarity: float | None = None,
    flipped: bool = False,
) -> HardReason | None:
    """Return why a frame is worth a label; None if the model was sure.

    Args:
        label: the decision, or "unknown".
        top: the top classes with their probabilities, in descending order, at least one.
        familiarity: the probability that the frame shows what the model was trained on; None if it is not computed.
        min_familiarity: the spec's.
        flipped: whether the decision over frames changed at this frame.

    """
    if familiarity is not None and min_familiarity is not None and familiarity < min_familiarity:
        return "unfamiliar"
    if flipped:
        return "flipped"
    if label == UNKNOWN or _second(top, familiarity) >= CLOSE_RATIO * top[0].score:
        return "close"
    return None


def _second(top: Sequence[Scored], familiarity: float | None) -> float:
    """Return the probability of the second class; if it is not among the top classes, the most that it can be."""
    if len(top) > 1:
        return top[1].score
    return (1.0 if familiarity is None else familiarity) - top[0].score
