"""A video with labelled events: read the labels, and run the model on every frame."""

from __future__ import annotations

import csv
import math
from typing import TYPE_CHECKING

from edge_runtime.errors import SpecError
from edge_runtime.image.preprocess import preprocess
from edge_runtime.live.sources.images import ImageFiles
from edge_runtime.tuning.search import Interval

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from edge_runtime.classify.classifier import Classifier
    from edge_runtime.live.records import Source

COLUMNS = ("label", "start_s", "end_s")
FOLDER_FPS = 10.0  # of a folder of frames, if the user gives no --fps


def read_labels(path: Path, labels: Sequence[str]) -> list[Interval]:
    """Read the labelled events, sorted by their start. Raise SpecError, which names file and line."""
    found = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            rows = csv.DictReader(stream)
            missing = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
            if missing:
                raise SpecError(f"{path}: column {missing[0]!r} is missing; the columns are {', '.join(COLUMNS)}")
            for row in rows:
                where = f"{path}: line {rows.line_num}"
                if row["label"] not in labels:
                    raise SpecError(f"{where}: {row['label']!r} is not one of the labels {', '.join(labels)}")
                start_s, end_s = _seconds(row["start_s"], where), _seconds(row["end_s"], where)
                if end_s <= start_s:
                    raise SpecError(f"{where}: ends at {end_s:g} s, before its start")
                found.append(Interval(labels.index(row["label"]), start_s, end_s))
    except (OSError, ValueError) as problem:
        raise SpecError(f"{path}: cannot be read: {getattr(problem, 'strerror', None) or problem}") from None
    if not found:
        raise SpecError(f"{path}: contains no event; at least one is needed to choose the rules")
    return sorted(found, key=lambda interval: interval.start_s)


def _seconds(text: str | None, where: str) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise SpecError(f"{where}: {text!r} is not a time in seconds")
    return value


def read_scores(
    source: Source, classifier: Classifier, fps: float | None
) -> tuple[list[float], list[NDArray[np.float32]]]:
    """Run the model on every frame; the frames of a folder are `fps` per second, or ten."""
    times: list[float] = []
    probabilities: list[NDArray[np.float32]] = []
    first = None
    with source:
        for frame in source:
            first = frame.captured_at if first is None else first
            still = isinstance(source, ImageFiles)
            times.append(frame.number / (fps or FOLDER_FPS) if still else frame.captured_at - first)
            probabilities.append(classifier.backend.run(preprocess(frame.image, classifier.spec)[None])[0])
    if not times:
        raise SpecError(f"{source.name}: contains no frame")
    return times, probabilities
