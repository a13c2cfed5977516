"""Read the tensors of a PyTorch file without PyTorch.

`torch.save` before version 1.6 wrote five pickles (a magic number, the version, the machine, an object, the keys of
its storages) and then the storages: for each, the number of its elements as int64, and its elements.
"""

from __future__ import annotations

from io import BytesIO
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from trainer.errors import TrainingError
from trainer.networks.tensor_pickle import View, read_pickle

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from trainer.networks.tensor_pickle import Storage

    Array = NDArray[np.generic]

MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001
ZIP = b"PK\x03\x04"


def read_tensors(content: bytes) -> dict[str, Array]:
    """Return the tensors of a file by their names.

    Args:
        content: the file's bytes.

    Returns:
        float32 or int64 arrays, which cannot be written to.

    Raises:
        TrainingError: the file is not of this format, is damaged, or contains anything but a dictionary of tensors.
            The message does not name the file.

    """
    if content.startswith(ZIP):
        raise TrainingError("is a PyTorch file of a newer format; save it with _use_new_zipfile_serialization=False")
    try:
        return _read(BytesIO(content))
    except TrainingError:
        raise
    except Exception as problem:  # noqa: BLE001 - a damaged file raises many types of exceptions
        reason = str(problem).strip().partition("\n")[0] or type(problem).__name__
        raise TrainingError(f"is not a readable PyTorch file of tensors ({reason})") from None


def _read(stream: BytesIO) -> dict[str, Array]:
    if read_pickle(stream) != MAGIC or read_pickle(stream) != VERSION:
        raise TrainingError("is not a PyTorch file")
    machine, views, keys = read_pickle(stream), read_pickle(stream), read_pickle(stream)
    if not machine["little_endian"]:
        raise TrainingError("was written by a machine with another byte order")
    if not isinstance(views, dict) or not all(isinstance(view, View) for view in views.values()):
        raise TrainingError("contains more than tensors with names; save only the state_dict")
    storages = _read_storages(stream, keys, {view.storage for view in views.values()})
    return {str(name): _array(view, storages[view.storage]) for name, view in views.items()}


def _read_storages(stream: BytesIO, keys: list[str], wanted: set[Storage]) -> dict[Storage, Array]:
    known = {storage.key: storage for storage in wanted}
    storages: dict[Storage, Array] = {}
    for key in keys:
        if not isinstance(key, str) or key not in known:
            raise TrainingError("contains data without a tensor")
        storage = known[key]
        count = int.from_bytes(stream.read(8), "little")
        content = stream.read(count * storage.dtype.itemsize)
        if count != storage.elements or len(content) != count * storage.dtype.itemsize:
            raise TrainingError(f"is incomplete: it does not contain the {storage.elements} elements of a tensor")
        storages[storage] = np.frombuffer(content, storage.dtype)
    return storages


def _array(view: View, elements: Array) -> Array:
    """Return a tensor as an array, after checking that all of it lies within its storage."""
    last = view.offset + sum((size - 1) * stride for size, stride in zip(view.shape, view.strides, strict=True))
    inside = min(view.offset, *view.shape, *view.strides, 0) >= 0 and last < len(elements)
    if not inside or prod(view.shape) > len(elements):
        raise TrainingError("contains a tensor that is larger than its data")
    strides = [stride * elements.itemsize for stride in view.strides]
    return np.lib.stride_tricks.as_strided(elements[view.offset :], view.shape, strides, writeable=False)
