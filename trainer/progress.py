"""Progress on stderr: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TypeVar

from tqdm import tqdm

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Item = TypeVar("Item")


def on_terminal() -> bool:
    """Tell whether stderr is a terminal, so that a bar may be redrawn."""
    return sys.stderr.isatty()


def say(message: str) -> None:
    """Print a line to stderr."""
    print(message, file=sys.stderr, flush=True)


def tracked(items: Iterable[Item], total: int, what: str) -> Iterator[Item]:
    """Pass items through, showing how many of `total` have come; one line in all where stderr is no terminal."""
    if not on_terminal():
        say(what)
        yield from items
        return
    yield from tqdm(items, total=total, desc=what, file=sys.stderr, leave=False)
