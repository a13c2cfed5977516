"""Collect labelled pictures in one folder for each class."""

from __future__ import annotations

import threading
from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from edge_runtime.collection.bursts import Bursts
from edge_runtime.collection.errors import CollectionError
from edge_runtime.collection.looks import is_near_repeat
from edge_runtime.collection.names import check_labels, is_picture_name, picture_name
from edge_runtime.collection.pictures import picture_of
from edge_runtime.collection.store import (
    DELETED,
    free_bytes,
    label_folders,
    move_picture,
    purge_deleted,
    remove_leftovers,
    sync_folders,
    write_picture,
)
from edge_runtime.image.files import IMAGE_EXTENSIONS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edge_runtime.collection.looks import Look
    from edge_runtime.image.preprocess import Roi
    from edge_runtime.live.records import Frame

MOST_UNDO = 200
MOST_LATEST = 60  # pictures in the strip
MEGA = 1_000_000
Result = Literal["stored", "repeated"]


@dataclass(frozen=True)
class CollectLimits:
    """How much is collected.

    Attributes:
        budget_bytes: size limit of all class folders together.
        min_free_bytes: nothing is written if less is free on the file system.

    """

    budget_bytes: int = 10_000_000_000
    min_free_bytes: int = 200_000_000


class Stored(NamedTuple):
    """A stored picture.

    Attributes:
        label: its class.
        name: its file name.
        size_bytes: its size.
        score: probability of what a model guessed, 0..1; None without a model.

    """

    label: str
    name: str
    size_bytes: int
    score: float | None = None


class Taken(NamedTuple):
    """What became of a picture: "stored", or "repeated" if it is a near-repeat of the last one."""

    result: Result
    picture: Stored | None = None


class Collector:
    """Stores pictures in OUT/<label>. Its methods may be called in any thread.

    Attributes:
        folder: OUT.
        labels: the classes.
        repeated: number of pictures that were not stored because they nearly repeat the last one.

    """

    def __init__(
        self, folder: Path, labels: Sequence[str], limits: CollectLimits | None = None, *, roi: Roi | None = None
    ) -> None:
        """Create the class folders, count what is in them, and remove what a killed process left.

        Args:
            folder: OUT.
            labels: the classes; empty for those that have a folder already.
            limits: how much is collected.
            roi: region to store, in pixels of the upright picture; None stores all of it.

        Raises:
            CollectionError: the folder cannot be used, or there are no labels.

        """
        self.folder = folder
        try:
            self.labels = check_labels(labels or label_folders(folder))
        except CollectionError:
            if labels:
                raise
            raise CollectionError(f"{folder}: has no class folders yet; pass --labels cat,dog,nothing") from None
        self.repeated = 0
        self._limits = limits or CollectLimits()
        self._roi = roi
        self._lock = threading.Lock()
        self._bursts = Bursts()
        self._last: tuple[str, Look] | None = None
        self._last_frame: tuple[int, float] | None = None
        self._latest: deque[Stored] = deque(maxlen=MOST_LATEST)
        self._undo: deque[tuple[Literal["taken", "deleted"], list[Stored]]] = deque(maxlen=MOST_UNDO)
        self._counts: Counter[str] = Counter()
        self._used_bytes = 0
        try:
            self._prepare()
        except OSError as problem:
            raise CollectionError(f"{folder}: cannot be used for pictures: {problem.strerror}") from None

    def counts(self) -> dict[str, int]:
        """Return the number of pictures of each class, those from before included."""
        with self._lock:
            return {label: self._counts[label] for label in self.labels}

    def latest(self) -> list[Stored]:
        """Return the newest pictures of this run that still exist, newest first."""
        with self._lock:
            return list(reversed(self._latest))

    def can_undo(self) -> bool:
        """Return whether there is something to take back."""
        with self._lock:
            return bool(self._undo)

    def take(
        self,
        frame: Frame,
        label: str,
        *,
        is_first: bool = True,
        score: float | None = None,
        at_s: float | None = None,
    ) -> Taken:
        """Store a frame, unless it nearly repeats the last picture of its class.

        Args:
            frame: the frame.
            label: one of `labels`.
            is_first: whether it is the first picture of a press; those of one press are taken back together.
            score: of what a model guessed.
            at_s: the frame's time for the bursts, see `moment_of`; None takes its monotonic time.

        Raises:
            CollectionError: the label is not one of them, a limit is reached, or the picture cannot be written.
            SourceError: the picture cannot be decoded.

        """
        self._require(label)
        picture = picture_of(frame, self._roi)
        with self._lock:
            self._check_room(len(picture.content))
            burst = self._bursts.next(frame.captured_s if at_s is None else at_s, picture.look)
            identity = (frame.number, frame.captured_s)
            near = self._last is not None and self._last[0] == label and is_near_repeat(picture.look, self._last[1])
            if near or (identity == self._last_frame and self._last is not None and self._last[0] == label):
                self.repeated += 1
                return Taken("repeated")
            name = picture_name(frame.captured_at, burst, picture.content, picture.suffix)
            try:
                write_picture(self.folder / label / name, picture.content)
            except OSError as problem:
                raise CollectionError(f"{self.folder / label}: cannot be written: {problem.strerror}") from None
            stored = Stored(label, name, len(picture.content), score)
            self._last, self._last_frame = (label, picture.look), identity
            self._note(stored, is_first=is_first)
        return Taken("stored", stored)

    def delete(self, label: str, name: str) -> bool:
        """Delete a picture; return False if there is none of this name. Raise CollectionError."""
        self._require(label)
        if not is_picture_name(name):
            return False
        with self._lock:
            try:
                size_bytes = (self.folder / label / name).lstat().st_size
            except OSError:
                return False
            picture = next((item for item in self._latest if item.name == name), Stored(label, name, size_bytes))
            moved = self._move(picture, deleted=True)
            if moved:
                self._undo.append(("deleted", [picture]))
            return moved

    def undo(self) -> list[Stored]:
        """Take the last press or deletion back; return its pictures. Raise CollectionError."""
        with self._lock:
            kind, pictures = self._undo.pop() if self._undo else ("taken", [])
            return [picture for picture in pictures if self._move(picture, deleted=kind == "taken")]

    def _prepare(self) -> None:
        purge_deleted(self.folder)
        for label in self.labels:
            (self.folder / label).mkdir(parents=True, exist_ok=True)
            remove_leftovers(self.folder / label)
            for path in (self.folder / label).iterdir():
                if path.suffix.lower() in IMAGE_EXTENSIONS and not path.name.startswith("."):
                    self._counts[label] += 1
                    self._used_bytes += path.lstat().st_size

    def _require(self, label: str) -> None:
        if label not in self.labels:
            raise CollectionError(f"{label!r} is not one of the labels {', '.join(self.labels)}")

    def _check_room(self, size_bytes: int) -> None:
        """Raise CollectionError if a limit would be exceeded."""
        if self._used_bytes + size_bytes > self._limits.budget_bytes:
            raise CollectionError(
                f"{self.folder}: the budget of {self._limits.budget_bytes // MEGA} MB is used up; raise --budget"
            )
        try:
            free = free_bytes(self.folder)
        except OSError as problem:
            raise CollectionError(f"{self.folder}: cannot be written: {problem.strerror}") from None
        if free - size_bytes < self._limits.min_free_bytes:
            raise CollectionError(
                f"{self.folder}: less than {self._limits.min_free_bytes // MEGA} MB are free; make room"
            )

    def _note(self, stored: Stored, *, is_first: bool) -> None:
        self._counts[stored.label] += 1
        self._used_bytes += stored.size_bytes
        self._latest.append(stored)
        if is_first or not self._undo or self._undo[-1][0] != "taken":
            self._undo.append(("taken", []))
        self._undo[-1][1].append(stored)

    def _move(self, picture: Stored, *, deleted: bool) -> bool:
        """Move a picture to the deleted ones, or back; return False if it is not there."""
        folders = (self.folder / picture.label, self.folder / DELETED / picture.label)
        source, target = folders if deleted else folders[::-1]
        try:
            moved = move_picture(picture.name, source, target)
            sync_folders(folders)
        except OSError as problem:
            raise CollectionError(f"{source / picture.name}: cannot be moved: {problem.strerror}") from None
        if moved:
            sign = -1 if deleted else 1
            self._counts[picture.label] += sign
            self._used_bytes += sign * picture.size_bytes
            self._last = None  # the next picture may look like one that is not there any more
            if deleted:
                self._latest = deque((item for item in self._latest if item != picture), maxlen=MOST_LATEST)
            else:
                self._latest.append(picture)
        return moved
