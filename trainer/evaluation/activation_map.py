"""Class activation maps: which places of a photograph speak for a class.

Zhou et al. 2016, "Learning Deep Features for Discriminative Localization" (arXiv:1512.04150). A network that ends with
global average pooling and a dense layer computes a class's logit as the mean, over all places, of weighted features.
The map shows these terms before the mean is taken, so that it needs no gradients.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from trainer.evaluation.calibration import BATCH_SIZE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_runtime.image.preprocess import Pixels
    from trainer.networks.models import Model

    Floats = NDArray[np.float32]

STRONGEST = 0.65  # opacity of the colour at the place that speaks most for the class
COLOURS = "inferno"


def pooled_maps(model: Model) -> Any | None:  # noqa: ANN401 - a symbolic tensor, untyped
    """Return the tensor of shape (N, h, w, D) whose mean over the places is the input of the last, dense layer.

    None if the network has no such tensor, because it flattens its features or has several dense layers.
    """
    import keras  # the other functions of this module are used without TensorFlow, too

    if not isinstance(model.layers[-1], keras.layers.Dense):
        return None
    tensor = model.layers[-1].input
    operation = tensor._keras_history.operation  # noqa: SLF001 - Keras has no public name for the origin of a tensor
    while isinstance(operation, keras.layers.Dropout | keras.layers.Identity):
        operation = operation.input._keras_history.operation  # noqa: SLF001 - the same
    return operation.input if isinstance(operation, keras.layers.GlobalAveragePooling2D) else None


def activation_maps(model: Model, pixels: Pixels, classes: NDArray[np.int64]) -> Floats | None:
    """Return how much each place of each image speaks for a class, relative to the mean of all classes.

    Args:
        model: a classifier; its last layer is dense, with one unit per class, or a single one of a sigmoid.
        pixels: uint8 of shape (N, H, W, 3), N at least 1.
        classes: the class of each image to explain, shape (N,).

    Returns:
        float32 of shape (N, h, w), the network's last resolution; positive values speak for the class. The mean of a
        map is the class's logit without the bias, minus the mean of all classes' logits. None for a network without
        pooled features.

    """
    import keras

    maps = pooled_maps(model)
    if maps is None:
        return None
    kernel = np.asarray(model.layers[-1].get_weights()[0], np.float32)  # (D, units)
    if kernel.shape[1] == 1:  # a sigmoid's logit is the difference of two classes' logits
        kernel = np.concatenate([-kernel, kernel], axis=1) / 2
    contrast = kernel - kernel.mean(axis=1, keepdims=True)
    below = keras.Model(model.inputs, maps)
    found = []
    for at in range(0, len(pixels), BATCH_SIZE):
        values = below.predict_on_batch(pixels[at : at + BATCH_SIZE].astype(np.float32))
        found.append(np.einsum("nhwd,dn->nhw", values, contrast[:, classes[at : at + BATCH_SIZE]]))
    return np.asarray(np.concatenate(found), np.float32)


def draw_map(pixels: Pixels, values: Floats) -> Pixels:
    """Return an image with its activation map as colour; places that do not speak for the class stay as they are.

    Args:
        pixels: uint8 of shape (H, W, 3).
        values: the map, float32 of shape (h, w).

    Returns:
        uint8 of shape (H, W, 3).

    """
    from matplotlib import colormaps

    height, width = pixels.shape[:2]
    positive = np.maximum(values, 0) / max(float(values.max()), 1e-12)
    large = Image.fromarray(positive.astype(np.float32)).resize((width, height), Image.Resampling.BICUBIC)
    strength = np.clip(np.asarray(large), 0, 1)
    colour = colormaps[COLOURS](strength)[..., :3] * 255
    opacity = STRONGEST * strength[..., np.newaxis]
    return np.asarray(np.round(pixels * (1 - opacity) + colour * opacity), np.uint8)
