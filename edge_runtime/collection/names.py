"""Names of stored pictures and of class folders; `docs/collection-format.md` specifies them."""

from __future__ import annotations

import re
import secrets
import time
import unicodedata
from collections import Counter
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from edge_runtime.collection.errors import CollectionError
from edge_runtime.storage.digest import sha256_of_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable

BURST = "b[0-9a-f]{6}"
NAME = re.compile(rf"[0-9]{{8}}-[0-9]{{6}}-[0-9]{{3}}_({BURST})_([0-9a-f]{{8}})\.(jpg|png)")
NOTHING = "nothing"
BACKGROUND = "background"  # the name of the class that `edge-train train --background` adds
MOST_LABEL_BYTES = 100
MOST_LABELS = 10_000


def picture_name(at: float, burst: str, content: bytes, suffix: str) -> str:
    """Return the file name of a picture: time of capture in UTC, burst, and the start of the content's SHA-256.

    Args:
        at: wall-clock time of capture, seconds since the epoch.
        burst: as `new_burst` returns it.
        content: the file's content.
        suffix: "jpg" or "png".

    """
    try:
        moment = datetime.fromtimestamp(at, timezone.utc)
    except (ValueError, OverflowError, OSError):  # a clock that was never set
        moment = datetime.fromtimestamp(time.time(), timezone.utc)
    milliseconds = moment.microsecond // 1000
    return f"{moment:%Y%m%d-%H%M%S}-{milliseconds:03}_{burst}_{sha256_of_bytes(content)[:8]}.{suffix}"


def is_picture_name(name: str) -> bool:
    """Return whether a name is one that `picture_name` returns."""
    return NAME.fullmatch(name) is not None


def new_burst() -> str:
    """Return the identifier of a new burst: the letter b and six hexadecimal digits."""
    return f"b{secrets.token_hex(3)}"


def burst_of(name: str) -> str:
    """Return the burst in a picture's name; empty if it is not such a name."""
    match = NAME.fullmatch(name)
    return match[1] if match else ""


def digest_start_of(name: str) -> str:
    """Return the start of the SHA-256 in a picture's name, 8 hexadecimal digits; empty if it is not such a name."""
    match = NAME.fullmatch(name)
    return match[2] if match else ""


def check_labels(labels: Iterable[str]) -> tuple[str, ...]:
    """Return labels that can be names of class folders, in Unicode's form NFC.

    Raises:
        CollectionError: a label cannot be a folder's name on every system, two differ only by case, or there are none.

    """
    checked = tuple(unicodedata.normalize("NFC", label.strip()) for label in labels)
    for label in checked:
        if not is_label(label):
            raise CollectionError(
                f"label {label!r}: cannot be the name of a folder; use at most {MOST_LABEL_BYTES} bytes of printable "
                "characters without / and \\, and no period at the start"
            )
    counts = Counter(label.casefold() for label in checked)
    for label in checked:
        if counts[label.casefold()] > 1:
            raise CollectionError(f"label {label!r}: occurs twice, perhaps with other upper-case letters")
    if not 1 <= len(checked) <= MOST_LABELS:
        raise CollectionError(f"{len(checked)} labels; between 1 and {MOST_LABELS} are supported")
    return checked


def is_label(text: str) -> bool:
    """Return whether a text can be the name of a class folder."""
    return (
        0 < len(text.encode("utf-8", "surrogatepass")) <= MOST_LABEL_BYTES
        and text.isprintable()
        and not set(text) & set("/\\")
        and not text.startswith(".")
        and text == text.strip()
    )


def folder_labels(labels: Iterable[str]) -> tuple[str, ...]:
    """Return those labels of a model that can be names of class folders next to each other."""
    found: dict[str, str] = {}
    for label in labels:
        if is_label(label) and unicodedata.is_normalized("NFC", label):
            found.setdefault(label.casefold(), label)
    return tuple(found.values())


def nothing_label(labels: Iterable[str]) -> str:
    """Return the name of the class for pictures that show none of the classes."""
    known = set(labels)
    return BACKGROUND if BACKGROUND in known and NOTHING not in known else NOTHING
