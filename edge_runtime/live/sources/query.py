"""Parse the settings after a camera's name, as in `?key=value&key=value`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_runtime.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Collection


def split_query(text: str, known: Collection[str]) -> tuple[str, list[tuple[str, str]]]:
    """Split `name?key=value&...` into the name and the pairs, in order. Raise SourceError for an unknown key."""
    name, _, query = text.partition("?")
    pairs = [tuple(part.partition("=")[::2]) for part in query.split("&") if part]
    for key, _ in pairs:
        if key not in known:
            raise SourceError(f"{text}: unknown setting {key!r}; the settings are {', '.join(known)}")
    return name, [(key, value) for key, value in pairs]


def number(text: str, value: str) -> float:
    """Parse a number of at least 0. Raise SourceError, which names the source."""
    try:
        parsed = float(value)
    except ValueError:
        parsed = -1.0
    if not 0 <= parsed < float("inf"):
        raise SourceError(f"{text}: {value!r} is not a number of at least 0")
    return parsed


def size(text: str, value: str) -> tuple[int, int]:
    """Parse `640x480` as (width, height) in pixels. Raise SourceError, which names the source."""
    width, _, height = value.partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise SourceError(f"{text}: {value!r} is not a size such as 640x480")
    return int(width), int(height)
