"""Read a source in its own thread: only the newest frame of a camera, every frame of a file.

A camera that stalls or is lost is reported as an event and reopened, with increasing waits.
"""

from __future__ import annotations

import copy
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edge_runtime.errors import SourceError
from edge_runtime.live.freshness import is_new
from edge_runtime.live.handoff import Ended, Handoff
from edge_runtime.live.records import Event, Frame

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge_runtime.live.records import Source

OPEN_TIMEOUT_S = 15.0  # a network stream is analysed before its first frame
LONGEST_WAIT_S = 30.0
POLL_S = 0.2  # maximum delay until a request to stop is noticed
CLOSE_S = 1.0  # time limit for a reader that is not needed any more to close its camera
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


class Capture:
    """An iterator over a source's frames and, for a camera, the events of its loss and return.

    Attributes:
        source: not opened by the caller. A camera is opened as a copy each time, which a blocked earlier copy cannot
            affect.

    """

    def __init__(self, source: Source, patience: Patience, stop: threading.Event) -> None:
        self.source = source
        self._patience = patience
        self._stop = stop
        self._reader = _Reader(source)
        self._readers = [self._reader]
        self._first_number = 0  # of the reader's frames
        self._next_number = 0
        self._fresh_s = self._fresh_before_s = time.monotonic()
        self._away = False
        self._wait_s = patience.first_wait_s

    def __iter__(self) -> Iterator[Frame | Event]:
        """Yield the frames until the source ends or `stop` is set.

        Raises:
            SourceError: a file could not be read, or a camera could not be opened at the start or sent no fresh frame
                for `give_up_s`.

        """
        try:
            yield from self._newest() if self.source.live else self._all()
        finally:
            self._reader.close()

    def reject(self) -> None:
        """Record that the frame yielded last could not be decoded, so that it does not count as a fresh frame."""
        self._fresh_s = self._fresh_before_s

    def _all(self) -> Iterator[Frame]:
        while not self._stop.is_set():
            try:
                yield self._reader.frames.get(POLL_S)
            except TimeoutError:
                continue
            except Ended:
                return

    def _newest(self) -> Iterator[Frame | Event]:
        while not self._stop.is_set():
            try:
                frame = self._next_frame()
            except (SourceError, Ended, TimeoutError) as problem:
                if not self._away:
                    yield self._lost(problem)
                self._reopen()
                continue
            if frame is not None:
                if self._away:
                    yield self._recovered()
                yield self._numbered(frame)

    def _next_frame(self) -> Frame | None:
        """Wait for a fresh frame; return None if stopped. Raise TimeoutError if the camera has stalled."""
        while not self._stop.is_set():
            left_s = self._deadline_s() - time.monotonic()
            if left_s <= 0:
                raise TimeoutError
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
            return min(self._reader.began_s + OPEN_TIMEOUT_S, self._fresh_s + self._patience.give_up_s)
        return max(self._fresh_s, opened_s) + self._patience.stall_timeout_s

    def _lost(self, problem: Exception) -> Event:
        """Return the event that the camera is away. Raise the problem if the camera could not be opened even once."""
        if isinstance(problem, SourceError) and self._next_number == 0 and self._reader.opened_s is None:
            raise problem
        self._away = True
        if isinstance(problem, TimeoutError):
            detail = f"no fresh frame for {self._patience.stall_timeout_s:g} s"
            return Event("stalled", self.source.name, time.time(), detail=detail)
        detail = str(problem).removeprefix(f"{self.source.name}: ") or "the stream ended"
        return Event("lost", self.source.name, time.time(), detail=detail)

    def _recovered(self) -> Event:
        self._away, self._wait_s = False, self._patience.first_wait_s
        return Event("recovered", self.source.name, time.time(), duration_s=time.monotonic() - self._fresh_s)

    def _reopen(self) -> None:
        """Wait, then open the camera again. Raise SourceError if it sent no fresh frame for too long."""
        self._reader.frames.end()
        left_s = self._fresh_s + self._patience.give_up_s - time.monotonic()
        self._stop.wait(max(0.0, min(self._wait_s, left_s)))
        if left_s <= self._wait_s and not self._stop.is_set():
            raise SourceError(f"{self.source.name}: no fresh frame for {self._patience.give_up_s:g} s; gave up")
        self._wait_s = min(2 * self._wait_s, LONGEST_WAIT_S)
        self._readers = [reader for reader in self._readers if reader.thread.is_alive()]
        if len(self._readers) < MOST_READERS and not self._stop.is_set():
            self._reader = _Reader(self.source)
            self._readers.append(self._reader)
            self._first_number = self._next_number

    def _numbered(self, frame: Frame) -> Frame:
        self._fresh_before_s, self._fresh_s = self._fresh_s, time.monotonic()
        number = self._first_number + frame.number
        dropped, self._next_number = number - self._next_number, number + 1
        return replace(frame, number=number, dropped=dropped)


class _Reader:
    """A thread that reads one opened copy of a source."""

    def __init__(self, source: Source) -> None:
        self.frames: Handoff[Frame] = Handoff(newest_only=source.live)
        self.began_s = time.monotonic()
        self.opened_s: float | None = None
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
                before: Frame | None = None
                for frame in source:
                    if self.frames.ended:  # needed here too, because a camera may send only damaged frames
                        return
                    if source.live and not is_new(frame, before):
                        continue
                    before = frame
                    if not self.frames.put(frame):
                        return
        except Exception as problem:  # noqa: BLE001 - raised again in the thread that takes the frames
            self.frames.end(problem)
        else:
            self.frames.end()
