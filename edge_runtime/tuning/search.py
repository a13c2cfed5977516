"""Choose the rules over frames by how well their events match a labelled video's. All pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from edge_runtime.live.smoothing import Rules, settle, smooth, vote

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

ALPHAS = (1.0, 0.6, 0.4, 0.25)
WINDOWS = (1, 3, 5, 9, 15)
THRESHOLDS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
TOLERANCE_S = 0.5  # a person's label begins no more exactly than this


class Interval(NamedTuple):
    """A class, by its index, from a moment to another, in seconds of the video."""

    label: int
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Match:
    """How predicted intervals match labelled ones.

    Attributes:
        right: predicted intervals that match one.
        predicted: how many there are.
        labelled: how many there should be.
        delay_s: mean time from a labelled beginning to its prediction, over the right ones; 0 without any.

    """

    right: int
    predicted: int
    labelled: int
    delay_s: float

    @property
    def precision(self) -> float:
        """Give the right part of the predicted; 0 where nothing was predicted."""
        return self.right / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        """Give the right part of the labelled; 0 where nothing was labelled."""
        return self.right / self.labelled if self.labelled else 0.0

    @property
    def f1(self) -> float:
        """Give the harmonic mean of precision and recall; 0 where nothing was right."""
        return 2 * self.right / (self.predicted + self.labelled) if self.right else 0.0


class Tuned(NamedTuple):
    """Rules and how they do."""

    rules: Rules
    match: Match


def tune(
    times: Sequence[float], probabilities: Sequence[NDArray[np.float32]], labelled: Sequence[Interval]
) -> list[Tuned]:
    """Try a grid of rules, then a threshold for each class apart.

    Args:
        times: of each frame, in seconds of the video.
        probabilities: of each frame, of shape (classes,).
        labelled: what should be found; at least one.

    Returns:
        The best rules for each smoothing and window, the best of all first: by F1 of the events, then by delay, then
        by how few frames they remember.

    """
    classes = len(probabilities[0])
    best: dict[tuple[float, int], Tuned] = {}
    for alpha in ALPHAS:
        smoothed = smooth_all(probabilities, alpha)
        for rules in _grid(alpha, classes):
            tried = Tuned(rules, match(intervals(times, smoothed, rules), labelled))
            key = (alpha, rules.n)
            if key not in best or _rank(tried) < _rank(best[key]):
                best[key] = tried
    ranked = sorted(best.values(), key=_rank)
    refined = _per_class(times, smooth_all(probabilities, ranked[0].rules.alpha), labelled, ranked[0])
    return [refined, *ranked[1:]]


def smooth_all(probabilities: Sequence[NDArray[np.float32]], alpha: float) -> list[NDArray[np.float32]]:
    """Smooth a whole video's probabilities as the live loop does."""
    smoothed: list[NDArray[np.float32]] = []
    for row in probabilities:
        smoothed.append(smooth(smoothed[-1] if smoothed else None, row, alpha))
    return smoothed


def intervals(times: Sequence[float], smoothed: Sequence[NDArray[np.float32]], rules: Rules) -> list[Interval]:
    """Give when which class was there, by the live loop's own rules; the last ends with the video."""
    found: list[Interval] = []
    votes: tuple[int, ...] = ()
    stable, since_s = -1, 0.0
    for at_s, row in zip(times, smoothed, strict=True):
        votes = (*votes, vote(row, stable, rules))[-rules.n :]
        after = settle(votes, stable, rules)
        if after != stable:
            if stable != -1:
                found.append(Interval(stable, since_s, at_s))
            stable, since_s = after, at_s
    if stable != -1:
        found.append(Interval(stable, since_s, times[-1]))
    return found


def match(predicted: Sequence[Interval], labelled: Sequence[Interval]) -> Match:
    """Match each labelled interval with the first free prediction of its class that begins within it."""
    free, delays = list(predicted), []
    for wanted in labelled:
        for candidate in free:
            begins_within = wanted.start_s - TOLERANCE_S <= candidate.start_s <= wanted.end_s
            if candidate.label == wanted.label and begins_within:
                delays.append(candidate.start_s - wanted.start_s)
                free.remove(candidate)
                break
    return Match(len(delays), len(predicted), len(labelled), sum(delays) / len(delays) if delays else 0.0)


def _grid(alpha: float, classes: int) -> Iterator[Rules]:
    for n in WINDOWS:
        for k in sorted({n // 2 + 1, -(-3 * n // 4), n}):
            for threshold in THRESHOLDS:
                yield Rules((threshold,) * classes, alpha, k, n, leave=max(1, k // 2))


def _per_class(
    times: Sequence[float], smoothed: Sequence[NDArray[np.float32]], labelled: Sequence[Interval], best: Tuned
) -> Tuned:
    """Change one class's threshold at a time, and keep what is better."""
    for label in range(len(best.rules.thresholds)):
        for threshold in THRESHOLDS:
            thresholds = list(best.rules.thresholds)
            thresholds[label] = threshold
            rules = replace(best.rules, thresholds=tuple(thresholds))
            tried = Tuned(rules, match(intervals(times, smoothed, rules), labelled))
            best = min(best, tried, key=_rank)
    return best


def _rank(tuned: Tuned) -> tuple[float, float, int]:
    """Give what sorts the better first; delays that no eye tells apart count as equal."""
    return -round(tuned.match.f1, 6), round(tuned.match.delay_s, 2), tuned.rules.n
