"""Follow what a camera sees, and report when it becomes different from the training.

Only the times of the samples count, no clock is read, so that a day can be simulated in seconds.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from edge_runtime.drift.background import MOVED, RETURNED, Background, packed
from edge_runtime.drift.baseline import STATISTICS
from edge_runtime.drift.conditions import SHIFT, SMALL_SHIFT, Usual, counting, sizes, unexplained
from edge_runtime.drift.history import History
from edge_runtime.drift.looks import layout_of, look_of
from edge_runtime.drift.reasons import REASONS, Reason, ReasonName
from edge_runtime.drift.window import Compared, Sample, compare

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge_runtime.drift.baseline import Baseline
    from edge_runtime.image.preprocess import Pixels

SAMPLE_S = 4.0  # frames in between are not looked at
WINDOW_S = 480.0
FEWEST, MOST = 40, 120  # samples of a window
NEWEST = 30  # samples that decide whether the lens is covered: two minutes
JUDGE_S = 20.0  # how often the samples are compared with the baseline
CONFIRM_S = 60.0  # how long a reason must count before it is reported
MOVED_S = 86_400.0  # how long until what is different becomes the usual, such as a new background
LONGEST_GAP_S = 1800.0  # after a longer gap, or a step back of the clock, a new window begins
SLOWEST_WINDOW = 1 / 180  # weight of a window in the camera's own past: a day
ENDED = 0.5  # a reason ends when less than this fraction of what it was remains
STATE_VERSION = 1


class Change(NamedTuple):
    """A reason began or ended.

    Attributes:
        reason: which one.
        began: False if it ended.
        at: wall-clock time, seconds since the epoch.

    """

    reason: Reason
    began: bool
    at: float


class Monitor:
    """The state that follows from the samples so far; its size is bounded.

    Attributes:
        baseline: how the training photographs looked.
        reasons: what is different now, by name.
        history: what was seen in each hour and on each day.
        compared: the newest comparison; None before there are enough samples.

    """

    def __init__(self, baseline: Baseline) -> None:
        self.baseline = baseline
        self.reasons: dict[ReasonName, Reason] = {}
        self.history = History()
        self.compared: Compared | None = None
        self._samples: deque[Sample] = deque(maxlen=MOST)
        self._background = Background()
        self._usual = Usual()
        self._usual_at = self._judged_at = float("-inf")
        self._counts_since: dict[ReasonName, float] = {}
        self._largest: dict[ReasonName, float] = {}

    def is_due(self, at: float) -> bool:
        """Return whether a picture that was captured at this time is to be looked at."""
        return not self._samples or not 0 <= at - self._samples[-1].at < SAMPLE_S

    def look(self, at: float, pixels: Pixels, label: str, *, unfamiliar: bool | None) -> list[Change]:
        """Look at a picture, if one is due, and return what changed.

        Args:
            at: wall-clock time of capture, seconds since the epoch.
            pixels: the model's input, uint8 of shape (height, width, 3).
            label: the decision.
            unfamiliar: whether it was decided as unfamiliar; None if the model computes no familiarity.

        """
        if not self.is_due(at):
            return []
        look = look_of(pixels)
        positions = tuple(map(float, self.baseline.positions(look)))
        return self.add(Sample(at, tuple(look), positions, unfamiliar, packed(layout_of(pixels))), label)

    def add(self, sample: Sample, label: str) -> list[Change]:
        """Include a sample and return what changed."""
        if self._samples and not 0 <= sample.at - self._samples[-1].at <= LONGEST_GAP_S:
            self._begin_again()
        self._samples.append(sample)
        while len(self._samples) > FEWEST and sample.at - self._samples[0].at > WINDOW_S:
            self._samples.popleft()
        self.history.add(sample.at, sample.positions, label, unfamiliar=bool(sample.unfamiliar))
        self._follow_background(sample)
        if len(self._samples) < FEWEST or 0 <= sample.at - self._judged_at < JUDGE_S:
            return []
        self._judged_at = sample.at
        return self._judge(sample.at)

    def _follow_background(self, sample: Sample) -> None:
        """Keep the background from before a movement, until it is that of a new place."""
        moved = self.reasons.get("moved")
        if moved is None:
            self._background.add(sample.layout)
        elif sample.at - moved.since > MOVED_S:
            self._background = Background()

    def _begin_again(self) -> None:
        self._samples.clear()
        self._counts_since.clear()
        self._usual_at = self._judged_at = float("-inf")

    def _judge(self, at: float) -> list[Change]:
        newest = [sample.layout for sample in list(self._samples)[-NEWEST:]]
        found = compare(self._samples, self.baseline, NEWEST)
        moved = self._background.changed(newest)
        size = sizes(found, moved, self.baseline.unfamiliar)
        counts = counting(found, moved, self.baseline.unfamiliar, self._usual)
        self.compared = found
        changes = self._ended(at, size, counts)
        if any(change.reason.name == "covered" for change in changes):
            self._begin_again()  # the older samples show what covered the lens
            return changes
        changes += self._began(at, unexplained(counts, size), size, found)
        for name in self.reasons:
            self._largest[name] = max(self._largest.get(name, 0.0), size.get(name, 0.0))
        if at - self._usual_at >= WINDOW_S and not self._is_unusual(at):
            self._usual = self._usual.with_window(tuple(map(float, found.position)), SLOWEST_WINDOW)
            self._usual_at = at
        return changes

    def _is_unusual(self, at: float) -> bool:
        """Return whether something is different that has not yet become the usual."""
        return any(at - reason.since <= MOVED_S for reason in self.reasons.values())

    def _began(
        self, at: float, counts: set[ReasonName], size: Mapping[ReasonName, float], found: Compared
    ) -> list[Change]:
        """Return the reasons that have counted for CONFIRM_S, in the order of REASONS."""
        self._counts_since = {name: self._counts_since.get(name, at) for name in counts}
        changes = []
        for name in sorted(counts - self.reasons.keys(), key=REASONS.index):
            if at - self._counts_since[name] >= CONFIRM_S:
                share = (found.unfamiliar or 0.0) if name == "unfamiliar" else 0.0
                self.reasons[name] = Reason(name, self._counts_since[name], share, size[name] < SMALL_SHIFT)
                changes.append(Change(self.reasons[name], began=True, at=at))
        return changes

    def _ended(self, at: float, size: dict[ReasonName, float], counts: set[ReasonName]) -> list[Change]:
        """Return the reasons of which little is left and that do not count any more."""
        changes = []
        for name in list(self.reasons):
            limit = RETURNED / MOVED if name == "moved" else ENDED
            if name not in counts and size.get(name, 0.0) < limit * max(SHIFT, self._largest.get(name, 0.0)):
                changes.append(Change(self.reasons.pop(name), began=False, at=at))
                self._largest.pop(name, None)
        return changes

    def to_json(self) -> dict[str, Any]:
        """Return the state as a JSON object; the newest samples are not part of it."""
        usual = {"windows": self._usual.windows, "mean": self._usual.mean, "variance": self._usual.variance}
        return {
            "version": STATE_VERSION,
            "reasons": {
                name: {
                    "since": one.since,
                    "share": one.share,
                    "than_usual": one.than_usual,
                    "largest": self._largest.get(name, 0.0),
                }
                for name, one in self.reasons.items()
            },
            "usual": usual,
            "background": self._background.to_json(),
            "history": self.history.to_json(),
        }

    def restore(self, data: dict[str, Any]) -> None:
        """Continue with a state that `to_json` returned. Raise ValueError, KeyError or TypeError if it is none."""
        if data["version"] != STATE_VERSION:
            raise ValueError(f"version {data['version']!r} is not {STATE_VERSION}")
        usual = data["usual"]
        numbers = [tuple(float(value) for value in usual[name]) for name in ("mean", "variance")]
        if any(len(one) != len(STATISTICS) or not np.isfinite(one).all() for one in numbers):
            raise ValueError(f"'usual' has {len(STATISTICS)} finite means and variances")
        background, history = Background.from_json(data["background"]), History.from_json(data["history"])
        reasons = {
            name: (
                Reason(name, float(one["since"]), float(one["share"]), bool(one.get("than_usual"))),
                float(one["largest"]),
            )
            for name, one in data["reasons"].items()
            if name in REASONS
        }
        self._usual = Usual(int(usual["windows"]), *numbers)
        self._background, self.history = background, history
        self.reasons = {name: reason for name, (reason, _) in reasons.items()}
        self._largest = {name: largest for name, (_, largest) in reasons.items()}
