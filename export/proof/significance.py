"""What a sample of images can and cannot show about a loss."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

RESAMPLES = 4000
# Below this share of the reference's spread over images, outputs no longer depend on the input.
SPREAD_LEFT = 0.1


def mcnemar_p(lost: int, gained: int) -> float:
    """Give the chance that as many or more of the changed images are lost ones, if loss and gain were equally likely.

    McNemar's exact test, one-sided: the upper tail of a binomial distribution with n = lost + gained, p = 1/2.
    https://en.wikipedia.org/wiki/McNemar%27s_test

    Args:
        lost: images that were right and became wrong.
        gained: images that were wrong and became right.

    """
    return at_least(lost, lost + gained, 0.5)


def at_least(hits: int, trials: int, chance: float) -> float:
    """Give the probability of `hits` or more in `trials` independent trials, each a hit with probability `chance`."""
    terms = (math.comb(trials, k) * chance**k * (1 - chance) ** (trials - k) for k in range(hits, trials + 1))
    return min(1.0, math.fsum(terms))


def loss_interval(
    reference_right: NDArray[np.bool_], candidate_right: NDArray[np.bool_], *, level: float = 0.95
) -> tuple[float, float]:
    """Give the interval of the accuracy lost, by a paired bootstrap over the images.

    Args:
        reference_right: which images the reference has right, (n_images,).
        candidate_right: the same of the candidate.
        level: the interval's probability.

    Returns:
        The lower and upper percentile of the loss, as fractions; negative for a gain.

    """
    difference = reference_right.astype(np.float64) - candidate_right
    rng = np.random.default_rng(0)  # equal inputs give an equal report
    counts = rng.multinomial(
        len(difference), [np.mean(difference == value) for value in (-1, 0, 1)], size=RESAMPLES
    )  # drawing images with replacement draws the three kinds of them
    losses = (counts[:, 2] - counts[:, 0]) / len(difference)
    low, high = np.quantile(losses, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def smallest_visible_loss(images: int) -> float:
    """Give the true loss, as a fraction, that 95 of 100 such samples would show by at least one lost image.

    The rule of three: 1 - 0.05 ** (1 / n), about 3 / n. https://en.wikipedia.org/wiki/Rule_of_three_(statistics)
    """
    return float(1 - 0.05 ** (1 / images))


def collapse(reference: NDArray[np.float32], candidate: NDArray[np.float32]) -> str | None:
    """Say how a candidate collapsed: outputs that no longer depend on the input, or one class that took over.

    Args:
        reference: probabilities, (n_images, n_classes).
        candidate: the same shape.

    Returns:
        A reason that speaks of "class INDEX", or None.

    """
    spread, wanted = float(candidate.std(axis=0).max()), float(reference.std(axis=0).max())
    if spread < SPREAD_LEFT * wanted:
        return f"outputs hardly depend on the input: they vary by {spread:.2g}, the trained model's by {wanted:.2g}"
    classes = reference.shape[1]
    found = np.bincount(candidate.argmax(axis=1), minlength=classes) / len(candidate)
    top = int(found.argmax())
    before = float(np.mean(reference.argmax(axis=1) == top))
    if found[top] - before > (1 - before) / 2:
        return f"class {top} took over: {found[top]:.0%} of the images, {before:.0%} in the trained model"
    return None
