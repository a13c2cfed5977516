"""The result of a check."""

from __future__ import annotations

from typing import Literal, NamedTuple

State = Literal["ok", "note", "warning", "broken"]


class Finding(NamedTuple):
    """One fact about the device.

    "note" is something optional that is missing, "warning" works badly or may stop working, "broken" does not work;
    `fix` is the exact line that helps, a command if possible, and is empty only for "ok".
    """

    check: str
    state: State
    says: str
    fix: str = ""
