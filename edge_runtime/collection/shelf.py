"""The frames that are kept for review: what they take, and which go first when the budget is full."""

from __future__ import annotations

from bisect import bisect_left
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edge_runtime.collection.errors import CollectionError
from edge_runtime.collection.looks import HASH_BITS, distances
from edge_runtime.collection.records import read_record
from edge_runtime.collection.store import picture_names, remove_picture, sidecar_of

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

CHECK_EVERY = 50  # frames after which the folder is read: others move frames, too
ALIKE_BITS = 10  # of 64; frames that differ in more bits are not called alike
FAR = HASH_BITS + 1


class Item(NamedTuple):
    """A kept frame.

    Attributes:
        name: the picture's name; names sort by time.
        size_bytes: of the picture and its sidecar.
        average_hash: see `looks.average_hash`; None if the sidecar cannot be read.
        is_random: whether it was drawn at random.

    """

    name: str
    size_bytes: int
    average_hash: int | None
    is_random: bool


class Shelf:
    """The kept frames of one kind, within a byte budget.

    Attributes:
        budget_bytes: the limit.
        used_bytes: what the frames take.

    """

    def __init__(self, folder: Path, budget_bytes: int, *, is_random: bool) -> None:
        """Begin without frames.

        Args:
            folder: contains the frames.
            budget_bytes: the limit.
            is_random: whether these are the frames that were drawn at random. Of them the oldest goes first; of the
                others one that looks like a later one, which would bias a random sample.

        """
        self.budget_bytes = budget_bytes
        self.used_bytes = 0
        self._folder = folder
        self._is_random = is_random
        self._added = 0
        self._items: list[Item] = []  # oldest first
        self._hashes: NDArray[np.uint64] = np.zeros(0, np.uint64)
        self._nearest: NDArray[np.uint8] = np.zeros(0, np.uint8)  # distance to the most similar later frame

    def __len__(self) -> int:
        return len(self._items)

    def add(self, item: Item) -> None:
        """Add the newest frame."""
        self._added += 1
        value = item.average_hash or 0
        if not self._is_random:
            near = distances(value, self._hashes) if len(self._items) else self._nearest
            if item.average_hash is not None:
                self._nearest = np.minimum(self._nearest, near)
            self._hashes = np.append(self._hashes, np.uint64(value))
            self._nearest = np.append(self._nearest, np.uint8(FAR))
        self._items.append(item)
        self.used_bytes += item.size_bytes

    def make_room(self, size_bytes: int) -> int:
        """Delete frames until a new one fits; return the number deleted.

        Raises:
            OSError: a frame cannot be deleted.
            CollectionError: the new frame alone is larger than the budget.

        """
        if self._added % CHECK_EVERY == CHECK_EVERY - 1:
            self._read_folder()
        if self.used_bytes + size_bytes <= self.budget_bytes:
            return 0
        if size_bytes > self.budget_bytes:
            raise CollectionError(
                f"a frame of {size_bytes} bytes does not fit into the budget of {self.budget_bytes} bytes"
            )
        self._read_folder()
        deleted = 0
        while self.used_bytes + size_bytes > self.budget_bytes:
            index = self._first_to_go()
            remove_picture(self._folder, self._items[index].name)
            self._drop(index)
            deleted += 1
        return deleted

    def _first_to_go(self) -> int:
        """Return the index of the frame that looks most like a later one; if there is none, of the oldest."""
        while not self._is_random:
            index = int(np.argmin(self._nearest))
            if self._nearest[index] > ALIKE_BITS:
                break
            later = self._hashes[index + 1 :]
            actual = int(distances(int(self._hashes[index]), later).min()) if len(later) else FAR
            if actual == self._nearest[index]:
                return index
            self._nearest[index] = actual  # the frame that it looked like is not there any more
        return 0

    def _read_folder(self) -> None:
        """Forget the frames that were reviewed or deleted, and add those that a review has put back."""
        present = set(picture_names(self._folder))
        for index in reversed(range(len(self._items))):
            if self._items[index].name not in present:
                self._drop(index)
        for name in present - {item.name for item in self._items}:
            with suppress(FileNotFoundError):
                item = _read_item(self._folder, name)
                if item.is_random == self._is_random:
                    self._insert(item)

    def _insert(self, item: Item) -> None:
        """Add a frame that is not the newest one."""
        index = bisect_left([other.name for other in self._items], item.name)
        self._items.insert(index, item)
        self.used_bytes += item.size_bytes
        if not self._is_random:
            value = item.average_hash or 0
            self._hashes = np.insert(self._hashes, index, np.uint64(value))
            later = self._hashes[index + 1 :]
            near = int(distances(value, later).min()) if len(later) else FAR
            self._nearest = np.insert(self._nearest, index, np.uint8(near))

    def _drop(self, index: int) -> None:
        self.used_bytes -= self._items.pop(index).size_bytes
        if not self._is_random:
            self._hashes = np.delete(self._hashes, index)
            self._nearest = np.delete(self._nearest, index)


def read_items(folder: Path) -> list[Item]:
    """Return the frames in a folder, oldest first; those that disappear meanwhile are left out. Raise OSError."""
    items = []
    for name in sorted(picture_names(folder)):
        with suppress(FileNotFoundError):
            items.append(_read_item(folder, name))
    return items


def _read_item(folder: Path, name: str) -> Item:
    size_bytes = (folder / name).stat().st_size
    try:
        sidecar = folder / sidecar_of(name)
        record = read_record(sidecar)
    except (OSError, CollectionError):  # a picture without a readable sidecar can still be reviewed and deleted
        return Item(name, size_bytes, None, is_random=False)
    size_bytes += sidecar.stat().st_size
    return Item(name, size_bytes, int(record.average_hash, 16), is_random=record.reason == "random")
