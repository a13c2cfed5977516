"""Hand results to a receiver that may be slow or dead: a bounded queue and threads of its own.

What every sink that writes to the outside is built on, so that queueing, retrying, dropping and counting are in one
place. Putting something in takes microseconds, whatever the receiver does.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from itertools import count
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from edge_runtime.errors import EdgeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_runtime.live.records import FramePrediction

Item = TypeVar("Item")
Delivered = TypeVar("Delivered")

CAPACITY = 1000  # events, each with a thumbnail of some 10 kB
LONGEST_PAUSE_S = 30.0
CLOSE_S = 5.0
REPORT_EVERY_S = 60.0


class DeliveryError(EdgeError):
    """The receiver is away or overloaded; trying again may help."""


class DeliveryRefused(DeliveryError):  # noqa: N818 - a refusal is what it is, and trying again will not help
    """The receiver does not want this item, and will not later."""


class Counts(NamedTuple):
    """What became of the items: delivered, dropped for want of room or after the last attempt, and still waiting."""

    delivered: int
    dropped: int
    waiting: int


class Outbox(Generic[Item]):
    """Items, mostly events, in order, the newest prediction beside them, and the threads that deliver both.

    When the queue is full the oldest item is dropped and counted. Predictions are replaced by newer ones, and one
    that fails is not tried again: it would be old.

    Attributes:
        name: the sink's, in reports and metrics.

    """

    def __init__(
        self,
        name: str,
        deliver: Callable[[Item], None],
        deliver_prediction: Callable[[FramePrediction], None] | None = None,
        *,
        capacity: int = CAPACITY,
        attempts: int | None = None,
        first_pause_s: float = 1.0,
        workers: int = 1,
        things: str = "events",
    ) -> None:
        """Start the threads.

        Args:
            name: the sink's, in reports and metrics.
            deliver: hands one item over, within a bounded time; raises DeliveryError when it could not.
            deliver_prediction: the same for the newest prediction; None ignores predictions.
            capacity: items that wait at most.
            attempts: for each item; None tries until the outbox closes.
            first_pause_s: before the second attempt; it doubles up to LONGEST_PAUSE_S.
            workers: threads; with one, items arrive in order.
            things: what the items are called in reports.

        """
        self.name = name
        self._deliver = deliver
        self._deliver_prediction = deliver_prediction
        self._attempts = attempts
        self._first_pause_s = first_pause_s
        self._capacity = capacity
        self._things = things
        self._items: deque[Item] = deque()
        self._prediction: FramePrediction | None = None
        self._delivered = self._dropped = self._told_dropped = self._in_hand = 0
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._deadline_s = float("inf")
        self._failing = self._settled = False
        self._reported_s = float("-inf")
        self._threads = [threading.Thread(target=self._work, name=f"sink {name}", daemon=True) for _ in range(workers)]
        for thread in self._threads:
            thread.start()

    def put(self, item: Item) -> None:
        """Queue an item, in the place of the oldest one when there is no room."""
        with self._changed:
            full = len(self._items) >= self._capacity
            if full:
                self._items.popleft()
                self._dropped += 1
            self._items.append(item)
            self._changed.notify()
        if full:
            self.report("the queue is full", failing=False)

    def put_prediction(self, prediction: FramePrediction) -> None:
        """Keep the newest prediction for delivery."""
        if self._deliver_prediction is None:
            return
        with self._changed:
            self._prediction = prediction
            self._changed.notify()

    def counts(self) -> Counts:
        """Tell what became of the items so far."""
        with self._changed:
            return Counts(self._delivered, self._dropped, len(self._items) + self._in_hand)

    def given_up(self) -> bool:
        """Tell a delivery that waits for its receiver that the time for closing is over."""
        return time.monotonic() > self._deadline_s

    def close(self, within_s: float = CLOSE_S) -> None:
        """Deliver what waits, for `within_s` seconds at most, and stop; what is left is dropped and counted."""
        with self._changed:
            self._deadline_s = time.monotonic() + within_s
            self._closing.set()
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(max(0.0, self._deadline_s - time.monotonic()) + 0.5)
        with self._changed:
            left = len(self._items) + self._in_hand
            self._dropped, self._in_hand, self._settled = self._dropped + left, 0, True
            self._items.clear()
        if self._dropped > self._told_dropped:
            self.report("closed before all were delivered" if left else "closed", at_once=True)

    def _work(self) -> None:
        while (item := self._take()) is not None:
            if isinstance(item, tuple):
                self._try_prediction(item[0])
            else:
                self._try_item(item)

    def _take(self) -> Item | tuple[FramePrediction] | None:
        """Wait for an item, or else a prediction (in a tuple, to tell them apart); None when it is time to stop."""
        with self._changed:
            while not (self._items or self._prediction or self._closing.is_set()):
                self._changed.wait()
            if self.given_up():
                return None
            if self._items:
                self._in_hand += 1
                return self._items.popleft()
            prediction, self._prediction = self._prediction, None
            return (prediction,) if prediction else None

    def _try_item(self, item: Item) -> None:
        pause_s = self._first_pause_s
        for attempt in count(1):
            problem = self._failure(self._deliver, item)
            if problem is None or isinstance(problem, DeliveryRefused):
                break
            if attempt == self._attempts or self._closing.is_set():
                break
            self._closing.wait(pause_s)  # closing ends the wait, and one last attempt follows
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
        with self._changed:
            if self._settled:  # closing has counted it as dropped
                return
            self._in_hand -= 1
            self._delivered += problem is None
            self._dropped += problem is not None
        self.report(f"given up: {problem}") if problem else self._report_recovery()

    def _try_prediction(self, prediction: FramePrediction) -> None:
        if self._deliver_prediction is not None:
            self._failure(self._deliver_prediction, prediction)

    def _failure(self, deliver: Callable[[Delivered], None], item: Delivered) -> Exception | None:
        """Give what went wrong, or None; nothing that one delivery raises may end the thread for good."""
        try:
            deliver(item)
        except DeliveryError as problem:
            self.report(str(problem))
            return problem
        except Exception as problem:  # noqa: BLE001 - a bug in one sink must not silence it for months
            self.report(f"failed unexpectedly: {problem!r}")
            return problem
        return None

    def report(self, why: str, *, at_once: bool = False, failing: bool = True) -> None:
        """Say on stderr what is wrong, but not again and again: a log on an SD card is not free."""
        now_s = time.monotonic()
        if now_s - self._reported_s < REPORT_EVERY_S and not at_once:
            return
        self._reported_s, self._failing = now_s, failing or self._failing
        counts = self.counts()
        self._told_dropped = counts.dropped
        state = f"{self._things} waiting: {counts.waiting}, dropped so far: {counts.dropped}"
        print(f"edge-run: {self.name}: {' '.join(why.split())} ({state})", file=sys.stderr, flush=True)

    def _report_recovery(self) -> None:
        if self._failing:
            self._failing = False
            print(f"edge-run: {self.name}: delivers again", file=sys.stderr, flush=True)
