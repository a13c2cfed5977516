"""Estimate the accuracy of many cuts of a pretrained backbone from one pass over the photographs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from trainer.description.summary import describe
from trainer.fitting.features import BATCH_SIZE
from trainer.images.paging import take
from trainer.networks.backbone import possible_ends
from trainer.networks.models import build_cnn, build_cnn_bn, build_pooled, build_transfer
from trainer.progress import tracked
from trainer.search.candidates import Candidate, Screened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge_runtime.model.spec import ModelSpec
    from trainer.images.dataset import Dataset
    from trainer.networks.models import Model
    from trainer.options import ModelName

FOLDS = 5
PENALTY_C = 0.01  # inverse strength of the L2 penalty of features with a mean square of 1
LEAST_FEATURES = 32  # a cut with fewer is left out
MOST_PHOTOGRAPHS = 2000  # that estimate an accuracy


def screen_backbone(dataset: Dataset, model: ModelName, weights: str, *, seed: int) -> list[Screened]:
    """Screen the whole backbone and its cuts at the image size of a dataset.

    Args:
        dataset: the photographs; its test photographs are not used.
        model: the backbone.
        weights: its weights, as for `edge-train train`.
        seed: of the sample of photographs and of the folds.

    Raises:
        TrainingError: the weights are not available or do not fit.

    """
    size = dataset.spec.width
    backbone = build_transfer(model, dataset.spec, weights=weights, alpha=1.0, dropout=0.0).backbone
    ends = _ends(backbone)
    rows, targets = _sample(dataset, seed)
    pooled = build_pooled(model, backbone, ends, dataset.spec)
    features = _features(
        pooled, dataset, rows, f"{model} at {size} pixels: computing features of {len(rows)} photographs"
    )
    found = []
    for end, values in zip(ends, features, strict=True):
        part = _part(backbone, end)
        last = "" if end == ends[-1] else end
        accuracy = cross_validated(values, targets, seed)
        found.append(_screened(Candidate(model, size, last), part, values.shape[1], accuracy))
    return found


def screen_untrained(spec: ModelSpec, model: ModelName) -> Screened:
    """Return the costs of a network that is trained from scratch."""
    network = build_cnn(spec) if model == "cnn" else build_cnn_bn(spec, dropout=0.0)
    return _screened(Candidate(model, spec.width), network, network.layers[-1].input.shape[-1], None)


def cross_validated(features: NDArray[np.floating[Any]], targets: NDArray[np.int64], seed: int) -> float:
    """Return the accuracy of a linear head, 0..1; each photograph is held out once.

    Args:
        features: shape (N, D).
        targets: class indices, shape (N,).
        seed: of the folds.

    """
    folds = StratifiedKFold(min(FOLDS, int(np.bincount(targets).min())), shuffle=True, random_state=seed)
    head = LogisticRegression(C=PENALTY_C, tol=1e-3, max_iter=200)
    centred = features - features.mean(axis=0)
    scaled = centred / (float(np.sqrt(np.square(centred).mean())) or 1.0)  # all by one number, as the trainer does
    return float(np.mean(cross_val_predict(head, scaled, targets, cv=folds) == targets))


def _ends(backbone: Model) -> list[str]:
    """Return the layers with which a candidate may end: the second half of `possible_ends`, without narrow ones."""
    ends = possible_ends(backbone)
    wide = [name for name in ends[len(ends) // 2 : -1] if backbone.get_layer(name).output.shape[-1] >= LEAST_FEATURES]
    return [*wide, ends[-1]]


def _sample(dataset: Dataset, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return rows of training and validation photographs, and their class indices."""
    photos = [*dataset.of("train"), *dataset.of("validation")]
    order = np.random.default_rng(seed).permutation(len(photos))[:MOST_PHOTOGRAPHS]
    chosen = [photos[at] for at in np.sort(order)]
    return np.array([photo.row for photo in chosen], np.int64), dataset.targets(chosen)


def _features(pooled: Model, dataset: Dataset, rows: NDArray[np.int64], what: str) -> list[NDArray[np.float32]]:
    """Return the features at each end, each of shape (N, D)."""
    batches: list[Sequence[NDArray[np.float32]]] = []
    starts = range(0, len(rows), BATCH_SIZE)
    for start in tracked(starts, len(starts), what):
        pixels = take(dataset.pixels, rows[start : start + BATCH_SIZE]).astype(np.float32)
        batches.append(pooled.predict_on_batch(pixels))
    return [np.concatenate(parts) for parts in zip(*batches, strict=True)]


def _part(backbone: Model, end: str) -> Model:
    import keras

    return keras.Model(backbone.input, backbone.get_layer(end).output)


def _screened(candidate: Candidate, network: Model, features: int, accuracy: float | None) -> Screened:
    described = describe(network)
    return Screened(candidate, described.multiply_adds, described.parameters, features, accuracy)
