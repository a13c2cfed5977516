"""The result of a check."""

from __future__ import annotations

from typing import Literal, NamedTuple

State = Literal["ok", "note", "warning", "broken"]


class Finding(NamedTuple):
    """One fact about the device.

    Attributes:
        check: what is checked, such as "memory".
        state: "note" if something optional is missing, "warning" if it works badly or may stop working, "broken" if
            it does not work.
        says: the fact in one line.
        fix: how to fix the problem, a command if possible; empty only for "ok".

    """

    check: str
    state: State
    says: str
    fix: str = ""
