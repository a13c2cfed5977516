"""What a sample of images can show about a loss of accuracy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from export.significance import at_least as at_least  # noqa: PLC0414 - the checks of the proof import it from here
from export.significance import mcnemar_p as mcnemar_p  # noqa: PLC0414 - the same

if TYPE_CHECKING:
    from numpy.typing import NDArray

RESAMPLES = 4000
# Below this fraction of the reference's spread over images, the outputs no longer depend on the input.
SPREAD_LEFT = 0.1


def loss_interval(
    reference_right: NDArray[np.bool_], candidate_right: NDArray[np.bool_], *, level: float = 0.95
) -> tuple[float, float]:
    """Return the confidence interval of the loss of accuracy, by a paired bootstrap over the images.

    Args:
        reference_right: whether the reference is correct, (n_images,).
        candidate_right: whether the candidate is correct, (n_images,).
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
    """Return the true loss, as a fraction, that 95 of 100 such samples would show by at least one lost image.

    The rule of three: 1 - 0.05 ** (1 / n), about 3 / n. https://en.wikipedia.org/wiki/Rule_of_three_(statistics)
    """
    return float(1 - 0.05 ** (1 / images))


def collapse(reference: NDArray[np.float32], candidate: NDArray[np.float32]) -> str | None:
    """Return how a candidate collapsed: outputs that do not depend on the input, or one class that took over.

    Args:
        reference: probabilities, (n_images, n_classes).
        candidate: the same shape.

    Returns:
        A reason that mentions "class INDEX", or None.

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
