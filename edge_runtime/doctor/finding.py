"""What a check gives."""

from __future__ import annotations

from typing import Literal, NamedTuple

State = Literal["ok", "note", "warning", "broken"]


class Finding(NamedTuple):
    """One fact about the device.

    "note" is something absent that not everyone needs, "warning" works badly or may stop working, "broken" does not
    work; `mend` is the exact line that helps, a command where one does, and is empty only for "ok".
    """

    check: str
    state: State
    says: str
    mend: str = ""
