"""Explain decisions of a model: the decided class, and a picture of the places that speak for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trainer.evaluation.activation_map import activation_maps, draw_map
from trainer.evaluation.scores import predict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_runtime.image.preprocess import Pixels
    from trainer.networks.models import Model


class Explained(NamedTuple):
    """An explained decision.

    Attributes:
        label: the decided class.
        score: its probability, 0..1, without the familiarity.
        explained: the class whose map is drawn.
        drawn: the image with the map, uint8 of shape (H, W, 3).

    """

    label: str
    score: float
    explained: str
    drawn: Pixels


def explain_pixels(
    model: Model, pixels: Pixels, labels: Sequence[str], label: str | None = None
) -> list[Explained] | None:
    """Explain the decision about each image; None if the network has no pooled features.

    Args:
        model: a classifier.
        pixels: uint8 of shape (N, H, W, 3), N at least 1.
        labels: of the classes.
        label: the class to explain; None explains the decided class of each image.

    """
    scores = predict(model, pixels)
    decided = scores.argmax(axis=1)
    classes = decided if label is None else np.full(len(pixels), labels.index(label))
    maps = activation_maps(model, pixels, classes)
    if maps is None:
        return None
    return [
        Explained(labels[decided[at]], float(scores[at].max()), labels[classes[at]], draw_map(pixels[at], maps[at]))
        for at in range(len(pixels))
    ]
