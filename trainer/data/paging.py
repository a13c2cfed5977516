"""Rows of an array that may be larger than memory: a memory map's pages do not pile up in the process."""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


ROWS_HELD = 64  # about so many rows' pages stay on this process's account


def take(array: NDArray[Any], rows: NDArray[np.int64]) -> NDArray[Any]:
    """Copy some rows."""
    values = np.empty((len(rows), *array.shape[1:]), array.dtype)
    for start in range(0, len(rows), ROWS_HELD):
        values[start : start + ROWS_HELD] = array[rows[start : start + ROWS_HELD]]
        let_go(array)
    return values


def let_go(array: NDArray[Any]) -> None:
    """Take a memory map's pages off this process's account; nothing is done to another array.

    Nothing is lost: the pages belong to a file, and the system keeps them while it has room. Do it often: a row that
    is touched may bring in pages of a hundred times its size.
    """
    if isinstance(array, np.memmap):
        array._mmap.madvise(mmap.MADV_DONTNEED)  # type: ignore[attr-defined] # noqa: SLF001 - numpy gives no other way
