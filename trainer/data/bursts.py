"""Bursts: the frames of one event, which look alike and must therefore be used for the same purpose.

`edge-run` names a collected picture `<time>_<burst>_<digest>.jpg`, with a burst such as b03f9c1.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from edge_runtime.collection.names import BURST
from trainer.data.layout import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from trainer.data.layout import Found

NAMED_BURST = re.compile(f"_({BURST})_")


def burst_of(name: str) -> str | None:
    """Return the burst in a file's name; None if it names none. The names of its folders do not count."""
    found = NAMED_BURST.search(PurePosixPath(name).name)
    return found and found.group(1)


def group_of(file: Found, digest: str) -> str:
    """Return what decides the split of a file: its burst, or else the SHA-256 of its own bytes."""
    return burst_of(file.name) or digest


def divided_bursts(files: Iterable[Found], groups: Mapping[str, str]) -> list[Problem]:
    """Return the files to leave out because other frames of their burst are in a folder for testing or validation.

    The frames in a test folder are kept, before those in a validation folder.

    Args:
        files: usable files.
        groups: each file's group by its name, from `group_of`.

    """
    bursts: defaultdict[str, list[Found]] = defaultdict(list)
    for file in files:
        bursts[groups[file.name]].append(file)
    found = []
    for burst in bursts.values():
        parts = {file.part for file in burst}
        held_out = next((part for part in ("test", "validation") if part in parts), None)
        if held_out is None or len(parts) == 1:
            continue
        kept = next(file for file in burst if file.part == held_out)
        found += [
            Problem(file.name, f"a leak: a frame of the same burst as {kept.name}")
            for file in burst
            if file.part != held_out
        ]
    return found
