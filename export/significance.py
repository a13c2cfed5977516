"""Whether a difference between two counts of images can be chance."""

from __future__ import annotations

import math

SIGNIFICANCE = 0.05  # a smaller probability is not taken for chance


def mcnemar_p(lost: int, gained: int) -> float:
    """Return the probability of at least this many lost images if loss and gain were equally likely.

    McNemar's exact test, one-sided: the upper tail of a binomial distribution with n = lost + gained, p = 1/2.
    https://en.wikipedia.org/wiki/McNemar%27s_test

    Args:
        lost: images that were correct and became wrong.
        gained: images that were wrong and became correct.

    """
    return at_least(lost, lost + gained, 0.5)


def at_least(hits: int, trials: int, chance: float) -> float:
    """Return the probability of at least `hits` in `trials` independent trials with probability `chance` each."""
    terms = (math.comb(trials, k) * chance**k * (1 - chance) ** (trials - k) for k in range(hits, trials + 1))
    return min(1.0, math.fsum(terms))
