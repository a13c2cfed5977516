"""Choose the rules over frames by how well their events match those of a labelled video. Pure functions."""

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
TOLERANCE_S = 0.5  # a person cannot label the start of an event more exactly


class Interval(NamedTuple):
    """An interval of a class, given by its index, in seconds of the video."""

    label: int
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Match:
    """How predicted intervals match labelled ones.

    Attributes:
        right: number of predicted intervals that match a labelled one.
        predicted: number of predicted intervals.
        labelled: number of labelled intervals.
        delay_s: mean time from a labelled start to its prediction, over the matches; 0 without any.

    """

    right: int
    predicted: int
    labelled: int
    delay_s: float

    @property
    def precision(self) -> float:
        """Return the fraction of predicted intervals that match; 0 if nothing was predicted."""
        return self.right / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        """Return the fraction of labelled intervals that were found; 0 if nothing was labelled."""
        return self.right / self.labelled if self.labelled else 0.0

    @property
    def f1(self) -> float:
        """Return the harmonic mean of precision and recall; 0 without any match."""
        return 2 * self.right / (self.predicted + self.labelled) if self.right else 0.0


class Tuned(NamedTuple):
    """Rules and their result."""

    rules: Rules
    match: Match


def tune(
    times: Sequence[float], probabilities: Sequence[NDArray[np.float32]], labelled: Sequence[Interval]
) -> list[Tuned]:
    """Search a grid of rules, then a threshold for each class separately.

    Args:
        times: of each frame, in seconds of the video.
        probabilities: of each frame, of shape (classes,).
        labelled: the labelled intervals; at least one.

    Returns:
        The best rules for each smoothing and window, the best of all first: by F1 of the events, then by delay, then
        by the number of frames that they use.

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
    """Return the intervals of each class, by the live loop's own rules; the last one ends with the video."""
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
    """Match each labelled interval with the first unmatched prediction of its class that starts within it."""
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
    """Change one class's threshold at a time, and keep an improvement."""
    for label in range(len(best.rules.thresholds)):
        for threshold in THRESHOLDS:
            thresholds = list(best.rules.thresholds)
            thresholds[label] = threshold
            rules = replace(best.rules, thresholds=tuple(thresholds))
            tried = Tuned(rules, match(intervals(times, smoothed, rules), labelled))
            best = min(best, tried, key=_rank)
    return best


def _rank(tuned: Tuned) -> tuple[float, float, int]:
    """Return a sort key, larger for better rules; delays that a person cannot distinguish count as equal."""
    return -round(tuned.match.f1, 6), round(tuned.match.delay_s, 2), tuned.rules.n
