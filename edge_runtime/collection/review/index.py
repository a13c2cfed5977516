"""What is in the folders of a review: the kept frames, the reviewed ones, and what the model said about each."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from edge_runtime.classify.decision import UNKNOWN
from edge_runtime.collection.errors import CollectionError
from edge_runtime.collection.keeper import KEPT
from edge_runtime.collection.names import is_label
from edge_runtime.collection.records import read_record
from edge_runtime.collection.review.accuracy import FieldAccuracy, wilson_interval
from edge_runtime.collection.store import DELETED, label_folders, picture_names, sidecar_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edge_runtime.collection.choice import Reason

REVIEWED = "reviewed"


class Said(NamedTuple):
    """What the model said about a frame; the part of a sidecar that a review needs, for 10,000 frames in memory.

    Attributes:
        label: the decision, or "unknown".
        score: its probability, 0..1.
        reason: why the frame was kept; None if its sidecar cannot be read.
        top: the most probable classes, in descending order.
        model: digest of the model file.
        artifact: name of the artifact.

    """

    label: str = UNKNOWN
    score: float = 0.0
    reason: Reason | None = None
    top: tuple[str, ...] = ()
    model: str = ""
    artifact: str = ""


class Entry(NamedTuple):
    """A frame: its name, the class folder that it is in (empty for `kept`), and what the model said."""

    name: str
    label: str
    said: Said


class ReviewIndex:
    """The frames of a review by their names; `read` updates them from the folders.

    Attributes:
        folder: contains `kept` and `reviewed`.
        entries: the frames by name.

    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.entries: dict[str, Entry] = {}

    def place(self, label: str) -> Path:
        """Return the folder of a label; of `kept` for an empty one."""
        return self.folder / REVIEWED / label if label else self.folder / KEPT

    def deleted(self) -> Path:
        """Return the folder of deleted frames."""
        return self.folder / REVIEWED / DELETED

    def labels(self) -> list[str]:
        """Return the labels of the class folders."""
        return label_folders(self.folder / REVIEWED)

    def read(self) -> None:
        """Read the folders; a sidecar is read once. Raise OSError."""
        before, self.entries = self.entries, {}
        for label in ("", *self.labels()):
            for name in picture_names(self.place(label)):
                known = before.get(name)
                said = known.said if known else _read(self.place(label) / sidecar_of(name))
                self.entries[name] = Entry(name, label, said)

    def moved(self, name: str, label: str | None) -> None:
        """Note that a frame was moved to the folder of a label, empty for `kept`, or None for deleted."""
        if label is None:
            self.entries.pop(name, None)
            return
        known = self.entries.get(name)
        said = known.said if known else _read(self.place(label) / sidecar_of(name))
        self.entries[name] = Entry(name, label, said)

    def seen_labels(self) -> set[str]:
        """Return the classes that the model named, and those of the reviewed frames."""
        distinct = {(entry.said.label, *entry.said.top) for entry in self.entries.values()}
        named = {label for labels in distinct for label in labels if is_label(label)}
        return named.union(self.labels()) - {UNKNOWN}

    def accuracy(self, nothing: str) -> FieldAccuracy | None:
        """Estimate the accuracy in the field of the model that decided the newest reviewed frame of the random sample.

        Args:
            nothing: label of the pictures of none of the classes; for them, "unknown" is the right decision, too.

        Returns:
            None if no frame of the random sample was reviewed.

        """
        sample = list(self._random_sample())
        if not sample:
            return None
        newest = max(sample, key=lambda entry: entry.name).said
        sample = [entry for entry in sample if entry.said.model == newest.model]
        right = sum(_is_right(entry, nothing) for entry in sample)
        return FieldAccuracy(right, len(sample), *wilson_interval(right, len(sample)), newest.artifact)

    def _random_sample(self) -> Iterator[Entry]:
        return (entry for entry in self.entries.values() if entry.label and entry.said.reason == "random")


def _is_right(entry: Entry, nothing: str) -> bool:
    return entry.said.label == entry.label or (entry.said.label == UNKNOWN and entry.label == nothing)


def _read(sidecar: Path) -> Said:
    """Return what a sidecar says; a frame without a readable one can still be labelled."""
    with suppress(OSError, CollectionError):
        record = read_record(sidecar)
        top = tuple(sys.intern(item.label) for item in record.top)
        texts = map(sys.intern, (record.model, record.artifact))
        return Said(sys.intern(record.label), record.score, record.reason, top, *texts)
    return Said()
