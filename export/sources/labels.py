"""Read a list of labels, in the forms in which other tools write them, and match it with a model's outputs."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from export.errors import ExportError

if TYPE_CHECKING:
    from pathlib import Path

BACKGROUND = "background"
# The only number of classes for which a missing first label is added: ImageNet's 1,000 and a background.
IMAGENET_CLASSES = 1001
BYTE_ORDER_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}
NUMBERED = re.compile(r"(\d+)[\s:,;]+(\S.*)")


def read_labels(path: Path) -> tuple[str, ...]:
    """Read labels: one per line, or `0 cat` with numbers from 0, as Teachable Machine writes, or a JSON list or object.

    Raises:
        ExportError: the file is not such a list.

    """
    try:
        content = path.read_bytes()
        text = content.decode(BYTE_ORDER_MARKS.get(content[:3], BYTE_ORDER_MARKS.get(content[:2], "utf-8")))
    except (OSError, UnicodeDecodeError) as problem:
        raise ExportError(f"{path}: not readable as a list of labels: {problem}") from None
    if text.lstrip().startswith(("[", "{")):
        return _from_json(text, path)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    numbered = [NUMBERED.fullmatch(line) for line in lines]
    if lines and all(match and int(match[1]) == index for index, match in enumerate(numbered)):
        return tuple(match[2] for match in numbered if match)
    return tuple(lines)


def match_outputs(labels: tuple[str, ...], classes: int, where: str) -> tuple[str, ...]:
    """Return one label for each output of a model, with numbers after equal ones.

    A first label `background` is removed if it is one too many. It is added only for the 1,001 outputs of an ImageNet
    model, because any other missing label would shift all names by one.

    Args:
        labels: the labels of the file.
        classes: number of the model's classes.
        where: the file, for errors.

    Raises:
        ExportError: the numbers differ.

    """
    if len(labels) == classes - 1 and classes == IMAGENET_CLASSES and BACKGROUND not in labels:
        labels = (BACKGROUND, *labels)
    elif len(labels) == classes + 1 and labels[0] == BACKGROUND:
        labels = labels[1:]
    if len(labels) != classes:
        raise ExportError(
            f"{where}: {len(labels)} labels for a model of {classes} classes; the file must have one line for each "
            "output, in their order"
        )
    seen: dict[str, int] = {}
    distinct = []
    for label in labels:
        seen[label] = seen.get(label, 0) + 1
        distinct.append(label if seen[label] == 1 else f"{label} ({seen[label]})")
    return tuple(distinct)


def _from_json(text: str, path: Path) -> tuple[str, ...]:
    """Read `["cat", "dog"]` or `{"0": "cat", "1": "dog"}`."""
    try:
        data = json.loads(text)
    except ValueError as problem:
        raise ExportError(f"{path}: not readable as JSON: {problem}") from None
    if isinstance(data, dict) and sorted(data) == sorted(map(str, range(len(data)))):
        data = [data[str(index)] for index in range(len(data))]
    if not isinstance(data, list) or not all(isinstance(label, str) for label in data):
        raise ExportError(f'{path}: JSON labels must be ["cat", "dog"] or {{"0": "cat", "1": "dog"}}')
    return tuple(label.strip() for label in data)
