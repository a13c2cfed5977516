"""What a device lists: checked strictly, because names become paths here."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from edge_runtime.collection.names import digest_start_of, is_label, is_picture_name
from edge_runtime.storage.json_files import parse_json
from trainer.errors import DataError

SHA256 = re.compile(r"[0-9a-f]{64}")
MOST_PICTURE_BYTES = 100_000_000
MOST_ON_PAGE = 10_000
MOST_CURSOR = 300  # characters


class Listed(NamedTuple):
    """A picture on a device: the name of its class, its file name, its size in bytes and its SHA-256."""

    label: str
    name: str
    size: int
    sha256: str


class Page(NamedTuple):
    """A part of a device's list.

    Attributes:
        pictures: the valid entries.
        refused: why each of the other entries is not used.
        following: the cursor of the next page; None on the last one.

    """

    pictures: tuple[Listed, ...]
    refused: tuple[str, ...]
    following: str | None


def parse_page(content: bytes, where: str) -> Page:
    """Parse the answer to `GET /review/list`; `where` names it in errors. Raise DataError if it is not such a list."""
    data = parse_json(content, where, DataError)
    entries, following = data.get("files"), data.get("next")
    if not isinstance(entries, list) or len(entries) > MOST_ON_PAGE:
        raise DataError(f"{where}: 'files' is not a list of up to {MOST_ON_PAGE} pictures; is it an edge-run server?")
    if following is not None and not (isinstance(following, str) and 0 < len(following) <= MOST_CURSOR):
        raise DataError(f"{where}: 'next' is not a cursor of up to {MOST_CURSOR} characters")
    checked = [_check(entry) for entry in entries]
    pictures = tuple(one for one in checked if isinstance(one, Listed))
    return Page(pictures, tuple(one for one in checked if isinstance(one, str)), following)


def _check(entry: Any) -> Listed | str:  # noqa: ANN401 - it may be anything
    """Return the picture of an entry, or why it is not used."""
    if not isinstance(entry, dict):
        return "an entry that is not an object"
    label, name, size, digest = (entry.get(key) for key in ("label", "name", "size", "sha256"))
    if not isinstance(label, str) or not is_label(label):
        return f"the label {_shown(label)} cannot be the name of a class folder"
    if not isinstance(name, str) or not is_picture_name(name):
        return f"the name {_shown(name)} is not that of a collected picture"
    if type(size) is not int or not 0 < size <= MOST_PICTURE_BYTES:
        return f"{name}: the size {_shown(size)} is not between 1 and {MOST_PICTURE_BYTES} bytes"
    if not isinstance(digest, str) or not SHA256.fullmatch(digest) or not digest.startswith(digest_start_of(name)):
        return f"{name}: its SHA-256 does not begin as its name says"
    return Listed(label, name, size, digest)


def _shown(value: object) -> str:
    return repr(value)[:80]
