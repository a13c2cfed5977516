"""Review kept frames: give each the label that a person sees, and take it back."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from typing import TYPE_CHECKING, Literal, NamedTuple

from edge_runtime.classify.decision import UNKNOWN
from edge_runtime.collection.errors import CollectionError, UnknownLabelError
from edge_runtime.collection.names import check_labels, is_label, nothing_label
from edge_runtime.collection.review.index import ReviewIndex
from edge_runtime.collection.store import move_picture, purge_deleted, remove_leftovers, sync_folders

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from edge_runtime.collection.review.accuracy import FieldAccuracy
    from edge_runtime.collection.review.index import Entry

MOST_UNDO = 200
MANY = 20  # labels that a page shows as buttons
READ_EVERY_S = 1.0
Action = Literal["label", "confirm", "delete", "return"]
View = Literal["kept", "random", "reviewed"]


class Group(NamedTuple):
    """Frames that are shown together.

    Attributes:
        view: "kept", frames that wait for a review; "random", those of the random sample; "reviewed", the others.
        label: of kept frames what the model said, of reviewed frames the label that they got; empty for all.

    """

    view: View
    label: str = ""


class Counted(NamedTuple):
    """The groups that are not empty, with the number of frames in each."""

    groups: dict[Group, int]
    accuracy: FieldAccuracy | None
    can_undo: bool


class Outcome(NamedTuple):
    """What an action did.

    Attributes:
        moved: the labels of the frames that were moved; empty for a frame that waits for a review again, and None for a
            deleted one.
        missing: the frames that were not there any more.
        unclear: the frames that cannot be confirmed, because the label that the model said is not known, or cannot be
            the name of a folder.

    """

    moved: dict[str, str | None]
    missing: list[str]
    unclear: list[str]


class _Move(NamedTuple):
    name: str
    source: Path
    source_label: str
    target: Path


class Reviews:
    """The review of one folder. Its methods may be called in any thread.

    The folder is read when it is first needed: 10,000 frames take some seconds on a Pi.
    """

    def __init__(self, folder: Path, labels: Sequence[str] = ()) -> None:
        """Remove what killed processes left in the folder.

        Args:
            folder: contains `kept`, or will; `reviewed` is created when the first frame gets its label.
            labels: the classes, in the order of their keys; those that the model named are added.

        Raises:
            CollectionError: a label cannot be a folder's name.

        """
        self._labels = check_labels(labels) if labels else ()
        self._index = ReviewIndex(folder)
        self._lock = threading.Lock()
        self._undo: deque[list[_Move]] = deque(maxlen=MOST_UNDO)
        self._read_s = float("-inf")
        for label in ("", *self._index.labels()):
            remove_leftovers(self._index.place(label))
        purge_deleted(self._index.deleted().parent)

    @property
    def folder(self) -> Path:
        """The folder of the labelled frames."""
        return self._index.deleted().parent

    def labels(self) -> list[str]:
        """Return the classes, in the order of their keys, and at the end the one for pictures of none of them."""
        with self._lock:
            self._read()
            return self._known_labels()

    def counted(self) -> Counted:
        """Return the groups with their numbers of frames, and the accuracy in the field. Raise CollectionError."""
        with self._lock:
            self._read()
            counts: Counter[Group] = Counter()
            for entry in self._index.entries.values():
                counts.update(_groups_of(entry))
            return Counted(dict(counts), self._index.accuracy(self._known_labels()[-1]), bool(self._undo))

    def page(self, group: Group, *, before: str = "", limit: int = 60) -> list[Entry]:
        """Return some frames of a group, newest first. Raise CollectionError.

        Args:
            group: the group.
            before: only frames whose name sorts before this one; empty for the newest.
            limit: maximum number of frames.

        """
        with self._lock:
            self._read()
            found = [
                entry
                for entry in self._index.entries.values()
                if group in _groups_of(entry) and (not before or entry.name < before)
            ]
        return sorted(found, key=lambda entry: entry.name, reverse=True)[:limit]

    def find(self, name: str) -> tuple[Path, Entry] | None:
        """Return the folder and the entry of a frame; None if there is none of this name."""
        with self._lock:
            if name not in self._index.entries:
                self._read(every_s=0.0)
            entry = self._index.entries.get(name)
            return (self._index.place(entry.label), entry) if entry else None

    def decide(self, names: Iterable[str], action: Action, label: str = "") -> Outcome:
        """Move frames to where the action puts them.

        Args:
            names: the frames' names; others are reported as missing.
            action: "label" gives `label`, "confirm" the label that the model said (of an unknown frame the last
                one of `labels`),
                "delete" deletes, "return" puts it back among the frames that wait for a review.
            label: one of `labels`.

        Raises:
            CollectionError: the label is not one of them, or a frame cannot be moved.

        """
        labels = self.labels()
        if action == "label" and label not in labels:
            raise UnknownLabelError(f"{label!r} is not one of the labels {', '.join(labels)}")
        moves: list[_Move] = []
        outcome = Outcome({}, [], [])
        distinct = list(dict.fromkeys(names))
        with self._lock:
            if any(name not in self._index.entries for name in distinct):
                self._read(every_s=0.0)  # it may have been kept just now
            try:
                for name in distinct:
                    self._decide_one(name, action, label, moves, outcome)
            finally:
                if moves:
                    self._undo.append(moves)
                sync_folders(folder for move in moves for folder in (move.source, move.target))
        return outcome

    def undo(self) -> Outcome:
        """Take the last action back. Raise CollectionError if a frame cannot be moved."""
        outcome = Outcome({}, [], [])
        with self._lock:
            moves = self._undo.pop() if self._undo else []
            for move in moves:
                if self._move(move.name, move.target, move.source):
                    self._index.moved(move.name, move.source_label)
                    outcome.moved[move.name] = move.source_label
                else:
                    outcome.missing.append(move.name)
            sync_folders(folder for move in moves for folder in (move.source, move.target))
        return outcome

    def _decide_one(self, name: str, action: Action, label: str, moves: list[_Move], outcome: Outcome) -> None:
        entry = self._index.entries.get(name)
        if entry is None:
            outcome.missing.append(name)
            return
        if action == "confirm":
            label = self._known_labels()[-1] if entry.said.label == UNKNOWN else entry.said.label
            if entry.said.reason is None or not is_label(label):
                outcome.unclear.append(name)
                return
        target_label = None if action == "delete" else "" if action == "return" else label
        source = self._index.place(entry.label)
        target = self._index.deleted() if target_label is None else self._index.place(target_label)
        if source != target and not self._move(name, source, target):
            self._index.entries.pop(name, None)
            outcome.missing.append(name)
            return
        if source != target:
            moves.append(_Move(name, source, entry.label, target))
        self._index.moved(name, target_label)
        outcome.moved[name] = target_label

    def _known_labels(self) -> list[str]:
        seen = self._index.seen_labels()
        nothing = nothing_label({*self._labels, *seen})
        given = [label for label in self._labels if label != nothing]
        if len(given) > MANY:
            given.sort(key=lambda label: label not in seen)  # stable; those that the model named come first
        return [*given, *sorted(seen - {*given, nothing}), nothing]

    @staticmethod
    def _move(name: str, source: Path, target: Path) -> bool:
        try:
            return move_picture(name, source, target)
        except OSError as problem:
            raise CollectionError(f"{source / name}: cannot be moved to {target}: {problem.strerror}") from None

    def _read(self, every_s: float = READ_EVERY_S) -> None:
        """Read the folders, unless they were read within the last `every_s` seconds."""
        now_s = time.monotonic()
        if now_s - self._read_s < every_s:
            return
        try:
            self._index.read()
        except OSError as problem:
            raise CollectionError(f"{self._index.folder}: cannot be read: {problem.strerror}") from None
        self._read_s = now_s


def _groups_of(entry: Entry) -> list[Group]:
    """Return the groups that a frame belongs to."""
    if entry.label:
        return [Group("reviewed"), Group("reviewed", entry.label)]
    groups = [Group("kept"), Group("kept", entry.said.label)]
    return [*groups, Group("random")] if entry.said.reason == "random" else groups
