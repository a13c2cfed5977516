"""Rows of an array that may be larger than memory: a memory map's pages do not pile up in the process."""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

RESIDENT_BYTES = 128 * 2**20  # about so much of a memory map stays on this process's account


def take(array: NDArray[Any], rows: NDArray[np.int64], number: int) -> NDArray[Any]:
    """Copy some rows, of which this is batch `number` of about equal ones."""
    values: NDArray[Any] = array[rows]
    let_go(array, number, values.nbytes)
    return values


def let_go(array: NDArray[Any], number: int, nbytes: int) -> None:
    """Take a memory map's pages off this process's account once in so many calls.

    Nothing is lost: the pages belong to a file, and the system keeps them while it has room.

    Args:
        array: any; nothing is done to one that is no memory map.
        number: of this call.
        nbytes: what the rows of one call take.

    """
    if isinstance(array, np.memmap) and number % max(1, RESIDENT_BYTES // nbytes) == 0:
        array._mmap.madvise(mmap.MADV_DONTNEED)  # type: ignore[attr-defined] # noqa: SLF001 - numpy gives no other way
