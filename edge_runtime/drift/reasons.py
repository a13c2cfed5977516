"""What can be different from the training, in words."""

from __future__ import annotations

import time
from typing import Literal, NamedTuple, TypeAlias, get_args

ReasonName: TypeAlias = Literal[
    "covered", "darker", "brighter", "blurred", "colours", "colourless", "contrast", "moved", "unfamiliar"
]
REASONS: tuple[ReasonName, ...] = get_args(ReasonName)
SENTENCES: dict[ReasonName, str] = {
    "covered": "almost no detail: something covers the lens, or there is no light",
    "darker": "darker than in training",
    "brighter": "brighter than in training",
    "blurred": "out of focus, or a dirty lens",
    "colours": "other colours than in training",
    "colourless": "less colour than in training, such as at night in infrared light",
    "contrast": "less contrast than in training: fog, glare or a dirty lens",
    "moved": "the camera has moved",
    "unfamiliar": "of what it sees is unfamiliar",
}
DAY_S = 86_400


class Reason(NamedTuple):
    """Something that is different from the training.

    Attributes:
        name: which of REASONS.
        since: wall-clock time since when, seconds since the epoch.
        share: for "unfamiliar", the fraction of pictures, 0..1; else 0.
        than_usual: whether it differs from the camera's own past alone, not from the training.

    """

    name: ReasonName
    since: float
    share: float = 0.0
    than_usual: bool = False

    def sentence(self, now: float) -> str:
        """Return the reason in words, with the time since when it holds, in the local time of the device."""
        words = f"{self.share:.0%} {SENTENCES[self.name]}" if self.name == "unfamiliar" else SENTENCES[self.name]
        if self.than_usual:
            words = words.replace("than in training", "than usual")
        return f"{words}, since {clock(self.since, now)}"


def clock(at: float, now: float) -> str:
    """Return a time as "14:05" today, "Tuesday 14:05" within the last six days, else "2026-11-20 14:05"."""
    then, today = time.localtime(at), time.localtime(now)
    if then[:3] == today[:3]:
        return time.strftime("%H:%M", then)
    if 0 <= now - at < 6 * DAY_S:
        return time.strftime("%A %H:%M", then)
    return time.strftime("%Y-%m-%d %H:%M", then)
