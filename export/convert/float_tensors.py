"""Run a float TFLite file and look at its inner tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from edge_runtime.image.preprocess import Pixels

IMAGES = 64


def inner_tensors(content: bytes, tensors: Sequence[int], pixels: Pixels) -> Iterator[dict[int, NDArray[np.float32]]]:
    """Yield the values of tensors for one image after the other, by their indices.

    Args:
        content: a TFLite file whose input takes pixels, float32 or uint8.
        tensors: indices of tensors.
        pixels: preprocessed images, uint8 (N, height, width, 3); the first IMAGES are used.

    """
    interpreter = _interpreter(content)
    (taken,) = interpreter.get_input_details()
    for image in pixels[:IMAGES]:
        interpreter.set_tensor(taken["index"], image[np.newaxis].astype(taken["dtype"]))
        interpreter.invoke()
        yield {index: interpreter.get_tensor(index) for index in tensors}


def channel_maxima(content: bytes, tensors: Sequence[int], pixels: Pixels) -> dict[int, NDArray[np.float64]]:
    """Return the largest magnitude in each channel of tensors on images."""
    largest: dict[int, NDArray[np.float64]] = {}
    for values in inner_tensors(content, tensors, pixels):
        for index, value in values.items():
            found = np.abs(value.astype(np.float64)).max(axis=tuple(range(value.ndim - 1)))
            largest[index] = np.maximum(largest.get(index, found), found)
    return largest


def _interpreter(content: bytes) -> Any:  # noqa: ANN401 - LiteRT is not typed
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    from edge_runtime.backends.quiet import without_info_lines

    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES  # a delegate would not keep the intermediate tensors
    with without_info_lines():
        interpreter = Interpreter(
            model_content=content, experimental_op_resolver_type=plain, experimental_preserve_all_tensors=True
        )
        interpreter.allocate_tensors()
    return interpreter
