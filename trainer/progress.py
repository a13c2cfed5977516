"""Progress on stderr: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TypeVar

from tqdm import tqdm

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Item = TypeVar("Item")


def on_terminal() -> bool:
    """Return whether stderr is a terminal, on which a bar may be redrawn."""
    return sys.stderr.isatty()


def log(message: str) -> None:
    """Print a line to stderr."""
    print(message, file=sys.stderr, flush=True)


def tracked(items: Iterable[Item], total: int, what: str) -> Iterator[Item]:
    """Yield the items, with a progress bar of `total`; without a terminal, print only one line."""
    if not on_terminal():
        log(what)
        yield from items
        return
    yield from tqdm(items, total=total, desc=what, file=sys.stderr, leave=False)
