"""Read rows of an array that may be larger than memory, without keeping a memory map's pages in the process."""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


ROWS_HELD = 64  # the process keeps the pages of about this number of rows


def take(array: NDArray[Any], rows: NDArray[np.int64]) -> NDArray[Any]:
    """Copy some rows."""
    values = np.empty((len(rows), *array.shape[1:]), array.dtype)
    for start in range(0, len(rows), ROWS_HELD):
        values[start : start + ROWS_HELD] = array[rows[start : start + ROWS_HELD]]
        release_pages(array)
    return values


def release_pages(array: NDArray[Any]) -> None:
    """Release a memory map's pages from this process; other arrays are not affected.

    Nothing is lost: the pages belong to a file, and the system caches them as long as it has memory. Call it often: a
    row that is read may load pages of a hundred times its size.
    """
    if isinstance(array, np.memmap):
        array._mmap.madvise(mmap.MADV_DONTNEED)  # type: ignore[attr-defined] # noqa: SLF001 - numpy gives no other way
