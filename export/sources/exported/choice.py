"""Decide what is known about a file's input and its labels: by the user, by the file, or by its quantization."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from export.errors import ExportError
from export.sources.labels import match_outputs, read_labels
from export.sources.reading import RANGES, known_readings, matches_limits

if TYPE_CHECKING:
    from pathlib import Path

    from export.sources.exported.ends import ModelEnds
    from export.sources.exported.statements import Statements
    from export.sources.reading import Reading, StatedInput

STATE_IT = "pass --input-range or --normalization, or --data with labelled images, which show it"


@dataclass(frozen=True)
class KnownInput:
    """What is known about the reading of an input before any image is used.

    Attributes:
        reading: the stated one, or None if images have to show it.
        candidates: the common readings that are possible.
        warnings: contradictions, in one line each.

    """

    reading: Reading | None
    candidates: tuple[Reading, ...]
    warnings: tuple[str, ...] = ()


def known_input(
    ends: ModelEnds, stated: StatedInput, says: Statements, path: Path, *, has_labels: bool, has_images: bool
) -> KnownInput:
    """Find the reading of a file's input, or the readings among which images decide.

    Args:
        ends: the file's input and output.
        stated: what the user states; it has priority.
        says: what the file states.
        path: the file, for errors.
        has_labels: whether labelled images measure the result.
        has_images: whether there are images at all.

    Raises:
        ExportError: the statements contradict each other or the quantization, or nothing is known.

    """
    reading, warnings = stated.reading(), []
    says = _in_order(says, stated, reading)
    if reading and reading.channels not in {1, ends.channels}:
        raise ExportError(f"{path}: its input is grey, but {reading.name} is for three channels")
    if says.reading and (reading or stated.bgr):
        contradiction = _contradiction(reading, stated, says.reading, says.source, path)
        is_known = has_labels or (reading and ends.represented and not _possible(says.reading, ends))
        if contradiction and not is_known:
            raise ExportError(f"{contradiction}; leave the option out, or pass --data with labelled images")
        warnings += [contradiction] if contradiction else []
    reading = reading or (says.reading if (says.reading and says.reading.bgr) or not stated.bgr else None)
    if reading and not _possible(reading, ends):
        raise ExportError(
            f"{path}: its quantized input represents {_range_text(ends)}, which contradicts {reading.name}; "
            "leave the option out, or pass --mean and --std"
        )
    candidates = [item for item in known_readings(ends.channels) if _possible(item, ends)]
    if reading is None and not has_labels:
        reading = _by_quantization(ends, [item for item in candidates if item.bgr or not stated.bgr])
        if reading is None and (ends.represented or not has_images):
            raise ExportError(_unknown(ends, path))
    if reading is None and not candidates:
        raise ExportError(_unknown(ends, path))
    return KnownInput(reading, tuple(candidates), tuple(warnings))


def known_labels(
    given: Path | None, says: Statements, ends: ModelEnds, path: Path, *, has_images: bool
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the labels, the user's before the file's, and warnings in one line each.

    Raises:
        ExportError: there are none, their number is wrong, or they have another order than in the file and no images
            can show which order is right.

    """
    if given is None:
        if says.labels is None:
            raise ExportError(f"{path}: contains no labels; pass --labels with one label per line")
        return match_outputs(says.labels, ends.classes, f"{path}: {says.source}"), ()
    names = match_outputs(read_labels(given), ends.classes, str(given))
    if says.labels is None or len(says.labels) != len(names):
        return names, ()
    theirs = match_outputs(says.labels, ends.classes, str(path))  # equal labels get the same numbers as the user's
    if theirs == names:
        return names, ()
    at = next(index for index, pair in enumerate(zip(names, theirs, strict=True)) if pair[0] != pair[1])
    text = f"{given}: label {at} is {names[at]!r}, but the {says.source} of {path.name} says {theirs[at]!r}"
    if sorted(theirs) == sorted(names) and not has_images:
        raise ExportError(f"{text}: another order; leave out --labels, or pass --data with labelled images")
    return names, (f"{text}; the label file is used",)


def _in_order(says: Statements, stated: StatedInput, reading: Reading | None) -> Statements:
    """Return the file's statements with the user's order of channels, if the file states none."""
    bgr = stated.bgr if reading is None else reading.bgr
    if says.reading is None or says.states_order or bgr == says.reading.bgr:
        return says
    name = f"{says.reading.name} BGR"
    return replace(says, reading=replace(says.reading, name=name, bgr=True))


def _possible(reading: Reading, ends: ModelEnds) -> bool:
    return ends.represented is None or matches_limits(reading, ends.represented)


def _by_quantization(ends: ModelEnds, candidates: list[Reading]) -> Reading | None:
    """Return the only range that a quantized input can have; a mean for each channel has two orders of channels."""
    if ends.represented is None:
        return None
    names = {known.name.removesuffix(" BGR").removesuffix(" RGB") for known in candidates}
    if len(names) != 1 or names.isdisjoint(RANGES):
        return None
    return candidates[0]


def _contradiction(reading: Reading | None, stated: StatedInput, says: Reading, source: str, path: Path) -> str | None:
    if reading is None:
        return None if says.bgr else f"{path}: --bgr contradicts its {source}, which states {says.name}"
    if reading.same_values(says):
        return None
    option = "--normalization" if stated.normalization else "--mean and --std" if stated.mean or stated.std else ""
    return f"{path}: {option or '--input-range'} states {reading.name}, but its {source} states {says.name}"


def _unknown(ends: ModelEnds, path: Path) -> str:
    if ends.represented is None:
        return (
            f"{path}: the range of its float input is unknown; pass --input-range=-1..1, 0..1 or 0..255, or "
            "--normalization, or --data with labelled images, which show it"
        )
    return (
        f"{path}: its quantized input represents {_range_text(ends)}, pixels with a mean subtracted or another "
        f"normalization; {STATE_IT}; or pass --mean, --std and, for blue first, --bgr"
    )


def _range_text(ends: ModelEnds) -> str:
    low, high = ends.represented or (0.0, 0.0)
    return f"{low:.4g}..{high:.4g}"
