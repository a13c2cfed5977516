"""Search the rules over frames whose events match those of a labelled video best. Pure functions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from edge_runtime.live.smoothing import Rules, smooth, update_stable, vote

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

ALPHAS = (1.0, 0.6, 0.4, 0.25)
WINDOWS = (1, 3, 5, 9, 15)
THRESHOLDS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
TOLERANCE_S = 0.5  # a manual label of an event's start is not more accurate


class Interval(NamedTuple):
    """An interval of a class, given by its index, in seconds of the video."""

    label: int
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Match:
    """How predicted intervals match labelled ones.

    Attributes:
        matched: number of predicted intervals that match a labelled one.
        predicted: number of predicted intervals.
        labelled: number of labelled intervals.
        delay_s: mean time from a labelled start to the predicted start, over the matches; 0 without matches.

    """

    matched: int
    predicted: int
    labelled: int
    delay_s: float

    @property
    def precision(self) -> float:
        """Return the fraction of predicted intervals that match; 0 if nothing was predicted."""
        return self.matched / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        """Return the fraction of labelled intervals that were found; 0 if nothing was labelled."""
        return self.matched / self.labelled if self.labelled else 0.0

    @property
    def f1(self) -> float:
        """Return the harmonic mean of precision and recall; 0 without any match."""
        return 2 * self.matched / (self.predicted + self.labelled) if self.matched else 0.0


class Tuned(NamedTuple):
    """Rules, and how their events match the labelled ones."""

    rules: Rules
    match: Match


def tune(
    times: Sequence[float],
    probabilities: Sequence[NDArray[np.float32]],
    labelled: Sequence[Interval],
    min_familiarity: float | None = None,
) -> list[Tuned]:
    """Search a grid of rules, then a threshold for each class separately.

    Args:
        times: time of each frame, in seconds of the video.
        probabilities: probabilities of each frame, shape (classes,).
        labelled: the labelled intervals; at least one.
        min_familiarity: the spec's.

    Returns:
        The best rules for each combination of smoothing and window, best first: by F1 of the events, then by delay,
        then by the number of frames in the window.

    """
    classes = len(probabilities[0])
    best: dict[tuple[float, int], Tuned] = {}
    for alpha in ALPHAS:
        smoothed = smooth_all(probabilities, alpha)
        for rules in _grid(alpha, classes, min_familiarity):
            tried = Tuned(rules, match(intervals(times, smoothed, rules), labelled))
            key = (alpha, rules.n)
            if key not in best or _rank(tried) < _rank(best[key]):
                best[key] = tried
    ranked = sorted(best.values(), key=_rank)
    refined = _per_class(times, smooth_all(probabilities, ranked[0].rules.alpha), labelled, ranked[0])
    return [refined, *ranked[1:]]


def smooth_all(probabilities: Sequence[NDArray[np.float32]], alpha: float) -> list[NDArray[np.float32]]:
    """Smooth the probabilities of all frames with the live loop's own function."""
    smoothed: list[NDArray[np.float32]] = []
    for row in probabilities:
        smoothed.append(smooth(smoothed[-1] if smoothed else None, row, alpha))
    return smoothed


def intervals(times: Sequence[float], smoothed: Sequence[NDArray[np.float32]], rules: Rules) -> list[Interval]:
    """Compute the intervals of each class with the live loop's own functions; the last one ends with the video."""
    found: list[Interval] = []
    votes: tuple[int, ...] = ()
    stable, since_s = -1, 0.0
    for at_s, row in zip(times, smoothed, strict=True):
        votes = (*votes, vote(row, stable, rules))[-rules.n :]
        after = update_stable(votes, stable, rules)
        if after != stable:
            if stable != -1:
                found.append(Interval(stable, since_s, at_s))
            stable, since_s = after, at_s
    if stable != -1:
        found.append(Interval(stable, since_s, times[-1]))
    return found


def match(predicted: Sequence[Interval], labelled: Sequence[Interval]) -> Match:
    """Match each labelled interval with the first unmatched prediction of its class that starts within it."""
    unmatched, delays = list(predicted), []
    for interval in labelled:
        for candidate in unmatched:
            starts_within = interval.start_s - TOLERANCE_S <= candidate.start_s <= interval.end_s
            if candidate.label == interval.label and starts_within:
                delays.append(candidate.start_s - interval.start_s)
                unmatched.remove(candidate)
                break
    return Match(len(delays), len(predicted), len(labelled), sum(delays) / len(delays) if delays else 0.0)


def _grid(alpha: float, classes: int, min_familiarity: float | None) -> Iterator[Rules]:
    for n in WINDOWS:
        for k in sorted({n // 2 + 1, -(-3 * n // 4), n}):
            for threshold in THRESHOLDS:
                yield Rules((threshold,) * classes, alpha, k, n, max(1, k // 2), min_familiarity=min_familiarity)


def _per_class(
    times: Sequence[float], smoothed: Sequence[NDArray[np.float32]], labelled: Sequence[Interval], best: Tuned
) -> Tuned:
    """Try every threshold for one class after the other, and keep each improvement."""
    for label in range(len(best.rules.thresholds)):
        for threshold in THRESHOLDS:
            thresholds = list(best.rules.thresholds)
            thresholds[label] = threshold
            rules = replace(best.rules, thresholds=tuple(thresholds))
            tried = Tuned(rules, match(intervals(times, smoothed, rules), labelled))
            best = min(best, tried, key=_rank)
    return best


def _rank(tuned: Tuned) -> tuple[float, float, int]:
    """Return a sort key that is smaller for better rules; delays count as equal if they round to the same 10 ms."""
    return -round(tuned.match.f1, 6), round(tuned.match.delay_s, 2), tuned.rules.n
