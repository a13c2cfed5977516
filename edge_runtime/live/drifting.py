"""Report in the live loop when the camera sees something else than in training."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from edge_runtime.drift.baseline import STATISTICS
from edge_runtime.drift.monitor import Change
from edge_runtime.live.records import Event

if TYPE_CHECKING:
    from edge_runtime.drift.monitor import Monitor
    from edge_runtime.drift.state_file import StateFile
    from edge_runtime.image.preprocess import Pixels
    from edge_runtime.live.records import FramePrediction


class DriftWatch:
    """Passes the live loop's pictures to a monitor; `inspect` is called only in the loop's thread.

    Attributes:
        snapshot: the newest result as a JSON object, which other threads may read; replaced, never changed.

    """

    def __init__(self, monitor: Monitor, *, min_familiarity: float | None, state: StateFile | None = None) -> None:
        """Continue with the state of a file, if there is one.

        Args:
            monitor: follows the pictures.
            min_familiarity: the spec's.
            state: where the monitor's state is kept; None keeps it only in memory.

        """
        self._monitor = monitor
        self._min_familiarity = min_familiarity
        self._next: tuple[Monitor, float | None] | None = None
        self._state = state
        if state:
            state.restore(monitor)
        # Receivers have forgotten what was different before a restart.
        self._restored = [Change(reason, began=True, at=reason.since) for reason in monitor.reasons.values()]
        self.snapshot: dict[str, Any] = self._snapshot(time.time())

    def switch(self, monitor: Monitor, min_familiarity: float | None) -> None:
        """Compare with another model's training from the next picture on; any thread may call it."""
        self._next = monitor, min_familiarity

    def inspect(self, pixels: Pixels, prediction: FramePrediction) -> list[Event]:
        """Look at a picture, if one is due, and return the events of what began or ended."""
        at, familiarity = prediction.captured_at, prediction.familiarity
        if self._next:
            # What was different from the old model's training may be usual in the new one's.
            self._restored = [Change(reason, began=False, at=at) for reason in self._monitor.reasons.values()]
            (self._monitor, self._min_familiarity), self._next = self._next, None
        if not self._monitor.is_due(at):
            return []
        limit = self._min_familiarity
        unfamiliar = None if familiarity is None or limit is None else familiarity < limit
        restored, self._restored = self._restored, []
        changes = restored + self._monitor.look(at, pixels, prediction.label, unfamiliar=unfamiliar)
        self.snapshot = self._snapshot(at)
        if self._state:
            self._state.save(self._monitor, time.monotonic())
        return [_event(change, prediction) for change in changes]

    def close(self) -> None:
        """Save the state."""
        if self._state:
            self._state.close(self._monitor)

    def _snapshot(self, now: float) -> dict[str, Any]:
        compared = self._monitor.compared
        positions = [] if compared is None else [round(float(value), 3) for value in compared.position]
        return {
            "reasons": [
                {"name": one.name, "since": one.since, "sentence": one.sentence(now)}
                for one in self._monitor.reasons.values()
            ],
            "positions": dict(zip(STATISTICS, positions, strict=False)),
            "unfamiliar": None if compared is None else compared.unfamiliar,
        }


def _event(change: Change, prediction: FramePrediction) -> Event:
    reason = change.reason
    return Event(
        "drifted" if change.began else "drift_ended",
        prediction.source,
        change.at,
        duration_s=0.0 if change.began else max(0.0, change.at - reason.since),
        frame=prediction.frame,
        detail=reason.sentence(change.at),
    )
