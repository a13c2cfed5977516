"""A video with labelled events: read the labels, and run the model on every frame."""

from __future__ import annotations

import csv
import math
from typing import TYPE_CHECKING

from edge_runtime.errors import SpecError
from edge_runtime.image.preprocess import load_image, to_input
from edge_runtime.image.upright import UPRIGHT
from edge_runtime.live.sources.images import ImageFiles
from edge_runtime.tuning.search import Interval

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from edge_runtime.classify.classifier import Classifier
    from edge_runtime.image.upright import Mount
    from edge_runtime.live.records import Source

COLUMNS = ("label", "start_s", "end_s")
FOLDER_FPS = 10.0  # frame rate of a folder of frames without --fps


def read_labels(path: Path, labels: Sequence[str]) -> list[Interval]:
    """Read the labelled events from a CSV file.

    Args:
        path: a file with the columns label, start_s and end_s; times are in seconds of the video.
        labels: the model's labels.

    Returns:
        The intervals, sorted by their start.

    Raises:
        SpecError: the file cannot be read, a line is invalid, or there is no event. The message names file and line.

    """
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
                    raise SpecError(f"{where}: the event ends at {end_s:g} s, which is not after its start")
                found.append(Interval(labels.index(row["label"]), start_s, end_s))
    except (OSError, ValueError) as problem:
        raise SpecError(f"{path}: cannot be read: {getattr(problem, 'strerror', None) or problem}") from None
    if not found:
        raise SpecError(f"{path}: contains no event; add at least one line")
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
    source: Source, classifier: Classifier, fps: float | None, mount: Mount = UPRIGHT
) -> tuple[list[float], list[NDArray[np.float32]]]:
    """Run the model on every frame.

    Args:
        source: a video, or a folder of frames.
        classifier: the opened bundle.
        fps: frames per second of a folder; None means FOLDER_FPS.
        mount: how the pictures are turned.

    Returns:
        The time of each frame in seconds of the video, and its probabilities of shape (classes,).

    Raises:
        SpecError: the source contains no frame.

    """
    times: list[float] = []
    probabilities: list[NDArray[np.float32]] = []
    first_s = None
    with source:
        for frame in source:
            if frame.flaw:
                continue
            first_s = frame.captured_at if first_s is None else first_s
            from_files = isinstance(source, ImageFiles)
            times.append(frame.number / (fps or FOLDER_FPS) if from_files else frame.captured_at - first_s)
            pixels = to_input(load_image(frame.image, classifier.spec, mount=mount), classifier.spec)
            probabilities.append(classifier.backend.run(pixels[None])[0])
    if not times:
        raise SpecError(f"{source.name}: contains no frame")
    return times, probabilities
