"""Read a source in its own thread: only the newest frame of a camera, every frame of a file.

A camera that stalls or is lost is reported as an event and reopened, with increasing waits.
"""

from __future__ import annotations

import copy
import threading
import time
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edge_runtime.errors import SourceError
from edge_runtime.live.freshness import Skip, check
from edge_runtime.live.handoff import Ended, Handoff
from edge_runtime.live.records import Event, Frame, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge_runtime.live.liveness import State
    from edge_runtime.live.records import Source

OPEN_TIMEOUT_S = 15.0  # a network stream is analysed before its first frame
LONGEST_WAIT_S = 30.0
POLL_S = 0.2  # maximum delay until a request to stop is noticed
CLOSE_S = 1.0  # time limit for a reader that is not needed any more to close its camera
MOST_REASONS = 3  # in a message
MOST_READERS = 3  # a driver can block a thread for ever, so the number of such threads is limited


@dataclass(frozen=True)
class Patience:
    """How long to wait for a camera.

    Attributes:
        stall_timeout_s: seconds without a fresh frame after which the camera counts as stalled.
        give_up_s: seconds without a fresh frame after which the capture fails.
        first_wait_s: seconds before the camera is reopened for the first time; each wait is twice the previous one, up
            to half a minute.

    """

    stall_timeout_s: float = 5.0
    give_up_s: float = 60.0
    first_wait_s: float = 0.5


class Record:
    """What the readers of one source have seen; they share it, because a reopened camera may repeat old pictures.

    Attributes:
        skipped: number of frames that were not passed on, by the reason.
        recent: the same since the newest fresh frame.
        fresh_s: monotonic time at which the newest fresh frame arrived; minus infinity before the first.
        is_repeating: whether the newest frame repeats an earlier one.

    """

    def __init__(self, patience: Patience) -> None:
        self.skipped: Counter[Skip] = Counter()
        self.recent: Counter[Skip] = Counter()
        self.fresh_s = float("-inf")
        self.is_repeating = False
        self._patience = patience
        self._before: Frame | None = None

    def accepts(self, frame: Frame, *, live: bool) -> bool:
        """Record a frame; return whether it may be classified."""
        skip = self._check(frame) if live else Skip("damaged", frame.flaw) if frame.flaw else None
        self.is_repeating = skip is not None and skip.kind == "repeated"
        if skip is not None:
            self.skipped[skip] += 1
            self.recent[skip] += 1
            return False
        self._before, self.fresh_s = (frame if live else None), time.monotonic()
        self.recent.clear()
        return True

    def _check(self, frame: Frame) -> Skip | None:
        if time.monotonic() - frame.captured_s >= self._patience.stall_timeout_s:
            return Skip("late")
        return check(frame, self._before)


class Capture:
    """An iterator over a source's frames and, for a camera, the events of its loss and return.

    Attributes:
        source: not opened by the caller. A camera is opened as a copy each time, which a blocked earlier copy cannot
            affect.
        record: counts the frames that are not passed on.
        look_s: no frame is passed on before this monotonic time; events are.

    """

    def __init__(self, source: Source, patience: Patience, stop: threading.Event) -> None:
        self.source = source
        self.record = Record(patience)
        self.look_s = float("-inf")
        self._patience = patience
        self._stop = stop
        self._reader = _Reader(source, self.record)
        self._readers = [self._reader]
        self._first_number = 0  # of the reader's frames
        self._next_number = 0
        self._began_s = time.monotonic()
        self._rejected_s = float("inf")  # when the first of the frames arrived that could not be decoded
        self._lost_s = float("-inf")  # when the last fresh frame before a loss arrived
        self._away = False
        self._problem = ""
        self._wait_s = patience.first_wait_s

    def __iter__(self) -> Iterator[Frame | Event]:
        """Yield the frames until the source ends or `stop` is set.

        Raises:
            SourceError: a file could not be read, a camera's settings are wrong, or it sent no fresh frame for
                `give_up_s`.

        """
        try:
            yield from self._newest() if self.source.live else self._all()
        finally:
            self._reader.close()

    def accept(self) -> None:
        """Record that the frame yielded last was decoded."""
        self._rejected_s = float("inf")

    def reject(self) -> None:
        """Record that the frame yielded last could not be decoded, so that it does not count as a fresh frame."""
        self._rejected_s = min(self._rejected_s, time.monotonic())

    def state(self) -> State:
        """Return the state of the source at this moment, whether frames are taken or not."""
        fresh_s = min(self.record.fresh_s, self._rejected_s)
        if self.source.live and time.monotonic() - fresh_s >= self._patience.stall_timeout_s:
            return "stale"
        return "repeated" if self.record.is_repeating else "fresh"

    def _fresh_s(self) -> float:
        """Return when the newest fresh frame arrived; before the first, when the capture began."""
        return min(max(self.record.fresh_s, self._began_s), self._rejected_s)

    def _all(self) -> Iterator[Frame]:
        while not self._stop.is_set():
            rest_s = self.look_s - time.monotonic()
            if rest_s > 0:
                self._stop.wait(rest_s)
                continue
            try:
                yield self._numbered(self._reader.frames.get(POLL_S))
            except TimeoutError:
                continue
            except Ended:
                return

    def _newest(self) -> Iterator[Frame | Event]:
        while not self._stop.is_set():
            try:
                frame = self._next_frame()
            except (SourceError, Ended, TimeoutError) as problem:
                event = self._lost(problem)
                if not self._away:
                    self._away, self._lost_s = True, self._fresh_s()
                    yield event
                self._reopen()
                continue
            if frame is not None:
                if self._away and self._rejected_s == float("inf"):
                    yield self._recovered()
                yield self._numbered(frame)

    def _next_frame(self) -> Frame | None:
        """Wait for a fresh frame; return None if stopped. Raise TimeoutError if the camera has stalled."""
        while not self._stop.is_set():
            now_s = time.monotonic()
            left_s, rest_s = self._deadline_s() - now_s, self.look_s - now_s
            if left_s <= 0:
                raise TimeoutError
            if rest_s > 0 and not self._reader.frames.ended:
                self._stop.wait(min(left_s, rest_s, POLL_S))
                continue
            try:
                frame = self._reader.frames.get(min(left_s, POLL_S))
            except TimeoutError:
                continue
            if time.monotonic() - frame.captured_s < self._patience.stall_timeout_s:
                return frame
        return None

    def _deadline_s(self) -> float:
        opened_s = self._reader.opened_s
        if opened_s is None:
            return min(self._reader.began_s + OPEN_TIMEOUT_S, self._fresh_s() + self._patience.give_up_s)
        return max(self._fresh_s(), opened_s) + self._patience.stall_timeout_s

    def _lost(self, problem: Exception) -> Event:
        """Return the event that the camera is lost. Raise the problem if opening it again cannot help."""
        if isinstance(problem, SettingsError) and self._next_number == 0:
            raise problem
        if isinstance(problem, TimeoutError):
            self._problem = _reasons(self.record.recent)
            detail = f"no fresh frame for {self._patience.stall_timeout_s:g} s{self._problem}"
            return Event("stalled", self.source.name, time.time(), detail=detail)
        detail = str(problem).removeprefix(f"{self.source.name}: ") or "the stream ended"
        self._problem = f": {detail}"
        return Event("lost", self.source.name, time.time(), detail=detail)

    def _recovered(self) -> Event:
        self._away, self._wait_s = False, self._patience.first_wait_s
        return Event("recovered", self.source.name, time.time(), duration_s=time.monotonic() - self._lost_s)

    def _reopen(self) -> None:
        """Wait, then open the camera again. Raise SourceError if it sent no fresh frame for too long."""
        self._reader.frames.end()
        left_s = self._fresh_s() + self._patience.give_up_s - time.monotonic()
        self._stop.wait(max(0.0, min(self._wait_s, left_s)))
        if left_s <= self._wait_s and not self._stop.is_set():
            since = f"no fresh frame for {self._patience.give_up_s:g} s"
            raise SourceError(f"{self.source.name}: {since}; gave up{self._problem}")
        self._wait_s = min(2 * self._wait_s, LONGEST_WAIT_S)
        self._readers = [reader for reader in self._readers if reader.thread.is_alive()]
        if len(self._readers) < MOST_READERS and not self._stop.is_set():
            self._reader = _Reader(self.source, self.record)
            self._readers.append(self._reader)
            self._first_number = self._next_number

    def _numbered(self, frame: Frame) -> Frame:
        number = self._first_number + frame.number
        dropped, self._next_number = number - self._next_number, number + 1
        return replace(frame, number=number, dropped=dropped)


def _reasons(skipped: Counter[Skip]) -> str:
    """Return the most frequent reasons why frames were not passed on, after a colon, or an empty text."""
    counts = [f"{count} frames {skip}" for skip, count in skipped.copy().most_common(MOST_REASONS)]
    return f": {', '.join(counts)}" if counts else ""


class _Reader:
    """A thread that reads one opened copy of a source."""

    def __init__(self, source: Source, record: Record) -> None:
        self.frames: Handoff[Frame] = Handoff(newest_only=source.live)
        self.began_s = time.monotonic()
        self.opened_s: float | None = None
        self._record = record
        opening = copy.copy(source) if source.live else source
        self.thread = threading.Thread(target=self._read, args=(opening,), name="capture", daemon=True)
        self.thread.start()

    def close(self) -> None:
        """Ask the thread to end, and wait up to CLOSE_S for it to close the camera."""
        self.frames.end()
        self.thread.join(CLOSE_S)

    def _read(self, source: Source) -> None:
        try:
            with source:
                self.opened_s = time.monotonic()
                for frame in source:
                    if self.frames.ended:  # needed here too, because a camera may send only damaged frames
                        return
                    if self._record.accepts(frame, live=source.live) and not self.frames.put(frame):
                        return
        except Exception as problem:  # noqa: BLE001 - raised again in the thread that takes the frames
            self.frames.end(problem)
        else:
            self.frames.end()
