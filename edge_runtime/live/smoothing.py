"""Decide a stable label over frames: exponential smoothing, then k of n votes with hysteresis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edge_runtime.classify.decision import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge_runtime.model.spec import ModelSpec


@dataclass(frozen=True)
class Rules:
    """Parameters of the decision over frames.

    Attributes:
        thresholds: for each class, the smoothed probability below which a frame votes for unknown.
        alpha: weight of the newest frame in the smoothed probabilities, in (0, 1]; 1 turns smoothing off.
        k: votes among the last `n` that a class needs to enter.
        n: number of votes that are kept.
        leave: the present class leaves with fewer votes than this among the last `n`; less than `k`, so that it does
            not leave after a single missed frame.
        margin: how far the present class may fall below its threshold and still get votes.
        min_familiarity: the smoothed familiarity below which a frame votes for unknown; None if the model computes no
            familiarity.

    """

    thresholds: tuple[float, ...]
    alpha: float = 0.5
    k: int = 3
    n: int = 5
    leave: int = 2
    margin: float = 0.1
    min_familiarity: float | None = None


def rules_of(spec: ModelSpec) -> Rules:
    """Return the default rules with a spec's thresholds and least familiarity."""
    return Rules(spec.thresholds, min_familiarity=spec.min_familiarity)


@dataclass(frozen=True)
class State:
    """The state that is kept between frames.

    Attributes:
        smoothed: probabilities of shape (classes,), or None before the first frame.
        votes: the last votes, as class indices; -1 means unknown.
        stable: the decided class, or -1.

    """

    smoothed: NDArray[np.float32] | None = None
    votes: tuple[int, ...] = ()
    stable: int = -1


class Candidate(NamedTuple):
    """A class that may become stable next.

    Attributes:
        label: the class's index, or -1 for unknown.
        votes: its votes so far.
        needed: the votes with which it becomes stable.

    """

    label: int
    votes: int
    needed: int


def candidate(state: State, rules: Rules) -> Candidate | None:
    """Return what the newest vote is for, if that is not the stable class; None if nothing may change.

    Unknown becomes stable when the stable class has fewer than `leave` votes, so every other vote is one for it.
    """
    if not state.votes or state.votes[-1] == state.stable:
        return None
    newest = state.votes[-1]
    if newest != -1:
        return Candidate(newest, state.votes.count(newest), rules.k)
    others = len(state.votes) - state.votes.count(state.stable)
    return Candidate(-1, others, len(state.votes) - rules.leave + 1)


def advance(state: State, probabilities: NDArray[np.float32], rules: Rules) -> State:
    """Update the state with one frame's probabilities, of shape (classes,)."""
    smoothed = smooth(state.smoothed, probabilities, rules.alpha)
    votes = (*state.votes, vote(smoothed, state.stable, rules))[-rules.n :]
    return State(smoothed, votes, update_stable(votes, state.stable, rules))


def smooth(before: NDArray[np.float32] | None, probabilities: NDArray[np.float32], alpha: float) -> NDArray[np.float32]:
    """Return `alpha * probabilities + (1 - alpha) * before`, or the probabilities if there are none before."""
    if before is None:
        return probabilities
    return np.float32(alpha) * probabilities + np.float32(1 - alpha) * before


def vote(smoothed: NDArray[np.float32], stable: int, rules: Rules) -> int:
    """Return the top class, or -1 if the scene is unfamiliar or the class is below its threshold.

    Both limits are lower by the margin for the stable class.
    """
    top = int(np.argmax(smoothed))
    slack = rules.margin if top == stable else 0.0
    if rules.min_familiarity is not None and float(smoothed.sum()) < rules.min_familiarity - slack:
        return -1
    threshold = rules.thresholds[top] - slack
    return top if smoothed[top] >= threshold else -1


def update_stable(votes: Sequence[int], stable: int, rules: Rules) -> int:
    """Return the stable class after the newest vote.

    The class of the newest vote becomes stable if it has `k` votes. Otherwise the present class stays stable if it has
    at least `leave` votes, and else the result is -1, for unknown.
    """
    newest = votes[-1]
    if newest not in (-1, stable) and votes.count(newest) >= rules.k:
        return newest
    if stable != -1 and votes.count(stable) < rules.leave:
        return -1
    return stable


def label_of(index: int, labels: Sequence[str]) -> str:
    """Return the label of a class index; -1 is unknown."""
    return UNKNOWN if index == -1 else labels[index]
