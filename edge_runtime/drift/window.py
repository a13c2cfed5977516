"""Compare the newest samples with the baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge_runtime.drift.baseline import Baseline

    Floats = NDArray[np.float64]

MOST_CORRELATED = 0.98


class Sample(NamedTuple):
    """A picture that was looked at.

    Attributes:
        at: wall-clock time of capture, seconds since the epoch.
        look: values of the statistics.
        positions: their positions among the training photographs, 0..1.
        unfamiliar: whether the model decided it as unfamiliar; None if it computes no familiarity.
        layout: packed bits, as `Background` takes them.

    """

    at: float
    look: tuple[float, ...]
    positions: tuple[float, ...]
    unfamiliar: bool | None
    layout: bytes


class Compared(NamedTuple):
    """The newest samples compared with the baseline.

    Attributes:
        samples: their number.
        independent: the number of independent pictures that they are worth, see `independent_samples`.
        position: mean position of each statistic among the training photographs, 0..1; 0.5 is as in training.
        below: fraction of samples of which each statistic is lower than is expected of the training kind.
        above: the same for higher.
        contrast: mean contrast, divided by the lowest one of the training photographs.
        unfamiliar: fraction of the samples that are unfamiliar; None if unknown.

    """

    samples: int
    independent: float
    position: Floats
    below: Floats
    above: Floats
    contrast: float
    unfamiliar: float | None


def compare(samples: Sequence[Sample], baseline: Baseline, few: int) -> Compared:
    """Compare samples, at least one, with a baseline; the contrast is that of the newest `few` alone."""
    looks = np.array([sample.look for sample in samples])
    low, high = baseline.beyond()
    known = [sample.unfamiliar for sample in samples if sample.unfamiliar is not None]
    return Compared(
        len(samples),
        independent_samples(looks, baseline.variances()),
        np.array([sample.positions for sample in samples]).mean(axis=0),
        (looks < low).mean(axis=0),
        (looks > high).mean(axis=0),
        float(looks[-few:, 1].mean() / max(baseline.quantiles[0, 1], 1e-6)),
        sum(known) / len(known) if known else None,
    )


def independent_samples(looks: Floats, variances: Floats) -> float:
    """Return the number of independent pictures that samples of a stream are worth, at least 1.

    Consecutive frames show the same scene: a thousand of them say no more than one about what the camera usually sees.
    For a first-order autoregressive process with the lag-1 correlation r, n samples are worth n (1 - r) / (1 + r). A
    scene that does not change at all varies only by noise, without correlation; therefore the variance of the samples,
    relative to that of the training photographs, is a factor, too. The median over the statistics is taken, because
    what drifts may lose its variance.

    Args:
        looks: values of the statistics, shape (n, statistics), in the order of time.
        variances: of the training photographs, shape (statistics,).

    """
    centred = looks - looks.mean(axis=0)
    squares = np.square(centred).sum(axis=0)
    products = (centred[1:] * centred[:-1]).sum(axis=0)
    correlation = np.clip(products / np.maximum(squares, 1e-12), 0.0, MOST_CORRELATED)
    spread = np.minimum(squares / len(looks) / variances, 1.0)
    worth = len(looks) * spread * (1 - correlation) / (1 + correlation)
    return max(1.0, float(np.median(worth)))
