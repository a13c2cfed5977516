"""Familiarity: the probability that an image belongs to what a model was trained on.

The features of a photograph of a known class lie near the subspace that the training features span; those of anything
else do not. Compared on pooled MobileNetV2 features with the top probability, Mahalanobis distances and nearest
neighbours, the share of a feature vector's squared length that lies within the first principal directions was the best
or equal on every set, and it costs a single small matrix product. The residual of the same subspace is one part of
Wang et al. 2022, "ViM: Out-Of-Distribution with Virtual-logit Matching" (arXiv:2203.10807).

The trainer and the export fit it, on a workstation; a device only reads the result from the exported graph.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

MIN_FAMILIARITY = 0.5  # the limit in the spec; the offset places the wanted share of photographs above it
DIRECTIONS = 24  # 16 to 64 were alike; 24 directions of 1,280 features are 123 kB
MEDIAN_FAMILIARITY = 0.98  # of the photographs that calibrate it
FOLDS = 10
ENOUGH = 100  # photographs of the validation; with fewer, their quantile alone would be left to chance
TINY = 1e-12
# A network whose features do not even separate drawn empty scenes from photographs gets no familiarity.
LEAST_AUROC = 0.9


@dataclass(frozen=True)
class Familiarity:
    """The parameters of familiarity = sigmoid(slope * (share - offset)).

    `share` is |features @ basis|^2 / |features|^2, in 0..1.

    Attributes:
        basis: orthonormal columns, float32 of shape (D, k).
        slope: above 0.
        offset: the share at which the familiarity is MIN_FAMILIARITY.
        keep: the share of photographs of the classes that is meant to be at least as familiar, 0..1.

    """

    basis: NDArray[np.float32]
    slope: float
    offset: float
    keep: float

    def of(self, features: NDArray[np.floating[Any]]) -> Floats:
        """Return the familiarity, float64 of shape (N,), of features of shape (N, D)."""
        steps = self.slope * (share_within(features, self.basis) - self.offset)
        return np.asarray(0.5 * (1 + np.tanh(steps / 2)))  # the sigmoid, without overflow

    def write(self, path: Path) -> None:
        """Write the parameters as .npz."""
        np.savez(path, basis=self.basis, slope=self.slope, offset=self.offset, keep=self.keep)

    @classmethod
    def read(cls, path: Path) -> Familiarity:
        """Read what `write` wrote. Raise OSError, ValueError or KeyError if the file is missing or damaged."""
        with np.load(path, allow_pickle=False) as arrays:
            values = (float(arrays[name]) for name in ("slope", "offset", "keep"))
            return cls(arrays["basis"].astype(np.float32), *values)


def share_within(features: NDArray[np.floating[Any]], basis: NDArray[np.floating[Any]]) -> Floats:
    """Return the share of each feature vector's squared length that lies within a subspace, 0..1.

    Args:
        features: shape (N, D).
        basis: orthonormal columns, shape (D, k).

    """
    wide = features.astype(np.float64)
    within = np.square(wide @ basis.astype(np.float64)).sum(axis=1)
    return np.asarray(within / (np.square(wide).sum(axis=1) + TINY))


def fit_familiarity(
    training: NDArray[np.floating[Any]],
    validation: NDArray[np.floating[Any]],
    *,
    keep: float,
    classes: int,
    frozen: bool,
    seed: int = 0,
) -> Familiarity:
    """Fit the subspace to training features and choose the offset so that the wanted share of photographs is familiar.

    The offset is a quantile of shares that the subspace was not fitted to: those of the validation photographs and, if
    the features were not trained on the training photographs either, those of each tenth of the training photographs
    within the subspace of the others. A hundred validation photographs alone would place it only roughly.

    If the features were trained on the training photographs, and there are fewer than ENOUGH validation photographs,
    the training photographs give only the form of the distribution: their shares are moved to the median of the
    validation's. With 20 photographs of each of ten classes and a fine-tuned network, the share of unseen photographs
    that was kept then varied half as much from draw to draw.

    Args:
        training: features of training photographs, shape (N, D).
        validation: features of validation photographs, shape (M, D), M at least 1.
        keep: the share of photographs that is meant to be familiar, in (0, 1).
        classes: number of classes; the subspace has at least twice as many directions, if the features have them.
        frozen: whether the layers below the features were left as they were.
        seed: of the division into tenths.

    """
    directions = max(1, min(max(DIRECTIONS, 2 * classes), training.shape[1] // 4, len(training) // 4))
    basis = principal_directions(training, directions)
    shares = [share_within(validation, basis)]
    if len(training) >= 2 * FOLDS and (frozen or len(validation) < ENOUGH):
        own = _out_of_fold(training, directions, seed)
        shares.append(own if frozen else _moved(own, shares[0], ENOUGH - len(validation)))
    unseen = np.concatenate(shares)
    low, middle = (_quantile(unseen, part) for part in (1 - keep, 0.5))
    distance = max(middle - low, 1e-3)
    slope = math.log(MEDIAN_FAMILIARITY / (1 - MEDIAN_FAMILIARITY)) / distance
    return Familiarity(basis.astype(np.float32), slope, low, keep)


def principal_directions(features: NDArray[np.floating[Any]], count: int) -> Floats:
    """Return the first principal directions of features scaled to length 1, not centred: shape (D, count)."""
    wide = features.astype(np.float64)
    unit = wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), TINY)
    if len(unit) < unit.shape[1]:  # for few photographs a hundred times faster
        return np.asarray(np.linalg.svd(unit, full_matrices=False)[2][:count].T)
    _, directions = np.linalg.eigh(unit.T @ unit)  # in ascending order
    return np.asarray(directions[:, ::-1][:, :count])


def kept_interval(keep: float, training: int, validation: int, *, frozen: bool) -> tuple[float, float]:
    """Return the range in which the share of new photographs that are kept lies with a probability of about 95%.

    The offset is a quantile of a limited number of photographs: the normal approximation of their binomial.

    Args:
        keep: the wanted share, 0..1.
        training: number of training photographs.
        validation: number of validation photographs.
        frozen: as for `fit_familiarity`.

    """
    has_folds = training >= 2 * FOLDS
    calibrating = validation + training if frozen and has_folds else max(validation, ENOUGH if has_folds else 1)
    margin = 1.96 * math.sqrt(keep * (1 - keep) / calibrating)
    return max(0.0, keep - margin), min(1.0, keep + margin)


def _moved(shares: Floats, to: Floats, count: int) -> Floats:
    """Return `count` evenly spaced quantiles of shares whose log-odds are moved to the median of others'."""
    odds, other = (_log_odds(values) for values in (shares, to))
    moved = np.quantile(odds - np.median(odds) + np.median(other), (np.arange(count) + 0.5) / count)
    return np.asarray(0.5 * (1 + np.tanh(moved / 2)))


def _log_odds(shares: Floats) -> Floats:
    inside = np.clip(shares, 1e-6, 1 - 1e-6)
    return np.asarray(np.log(inside / (1 - inside)))


def _quantile(values: Floats, part: float) -> float:
    """Return a quantile by Harrell and Davis 1982, which varies less than that of a single order statistic."""
    from scipy.stats.mstats import hdquantiles  # a device has no SciPy and fits nothing

    return float(hdquantiles(values, [part])[0]) if len(values) > 1 else float(values[0])


def _out_of_fold(features: NDArray[np.floating[Any]], directions: int, seed: int) -> Floats:
    """Return the share of each feature vector within the subspace of the other folds, shape (N,)."""
    fold = np.random.default_rng(seed).permutation(len(features)) % FOLDS
    shares = np.empty(len(features))
    for number in range(FOLDS):
        left_out = fold == number
        shares[left_out] = share_within(features[left_out], principal_directions(features[~left_out], directions))
    return shares
