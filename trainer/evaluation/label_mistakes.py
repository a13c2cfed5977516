"""Find photographs whose label is probably wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

FOLDS = 5
REGULARISATION = 0.1  # the inverse strength; 0.01 found the same mistakes, 1 fewer
FEATURE_LENGTH = 0.2  # of each scaled feature vector, relative to the square root of its dimension


class Suspicion(NamedTuple):
    """A photograph whose label is probably wrong.

    Attributes:
        row: of its features.
        suggested: the class index that it looks like.
        probability: out-of-fold probability of that class, 0..1.
        own_probability: the same of its label.

    """

    row: int
    suggested: int
    probability: float
    own_probability: float


def find_label_mistakes(
    features: NDArray[np.floating[Any]], targets: NDArray[np.int64], seed: int = 0
) -> list[Suspicion]:
    """Return the photographs whose label is probably wrong, the most probable first.

    The probabilities are those of a logistic regression that was fitted to the other photographs. A photograph is named
    if another class has the highest probability. They are sorted by the difference of the two probabilities, as in
    confident learning (Northcutt et al. 2021, arXiv:1911.00068), whose limit for each class missed a third of the
    flipped labels here.

    Args:
        features: of all photographs, shape (N, D).
        targets: class indices, shape (N,); classes with a single photograph are not checked.
        seed: of the division into folds.

    """
    present, counts = np.unique(targets, return_counts=True)
    checked = np.flatnonzero(np.isin(targets, present[counts > 1]))
    own = targets[checked]
    if len(np.unique(own)) < 2:
        return []
    classes, own = np.unique(own, return_inverse=True)
    chances = _out_of_fold(features[checked].astype(np.float64), own, seed)
    best = chances.argmax(axis=1)
    named = np.flatnonzero(best != own)
    order = named[np.argsort(chances[named, own[named]] - chances[named, best[named]], kind="stable")]
    return [
        Suspicion(int(checked[at]), int(classes[best[at]]), float(chances[at, best[at]]), float(chances[at, own[at]]))
        for at in order
    ]


def _out_of_fold(features: Floats, targets: NDArray[np.int64], seed: int) -> Floats:
    lengths = np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
    scaled = features / lengths * np.sqrt(features.shape[1]) * FEATURE_LENGTH
    folds = StratifiedKFold(min(FOLDS, int(np.bincount(targets).min())), shuffle=True, random_state=seed)
    model = LogisticRegression(C=REGULARISATION, max_iter=500)
    return np.asarray(cross_val_predict(model, scaled, targets, cv=folds, method="predict_proba"))
