"""Deliver results to a receiver that may be slow or not reachable, with a bounded queue and its own threads.

Every sink that sends to another program or machine uses it for its queue, retries, drops and counts. Adding an item
takes microseconds, even if the receiver is slow.
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

CAPACITY = 1000  # events, each with a thumbnail of about 10 kB
LONGEST_PAUSE_S = 30.0  # between two attempts
CLOSE_S = 5.0
REPORT_EVERY_S = 60.0


class DeliveryError(EdgeError):
    """The receiver is not reachable or overloaded; a retry may succeed."""


class DeliveryRefused(DeliveryError):  # noqa: N818 - the name says that the receiver refuses
    """The receiver refuses this item; a retry cannot succeed."""


class Counts(NamedTuple):
    """Counts of an outbox's items, without predictions.

    Attributes:
        delivered: items that were delivered.
        dropped: items that were dropped because the queue was full or the last attempt failed.
        waiting: items that are in the queue or being delivered.

    """

    delivered: int
    dropped: int
    waiting: int


class Outbox(Generic[Item]):
    """A queue of items, such as events, the newest prediction, and the threads that deliver both.

    If the queue is full, the oldest item is dropped and counted. A new prediction replaces one that is waiting. A
    prediction that fails is not retried, because a newer one follows.

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
        noun: str = "events",
    ) -> None:
        """Start the threads.

        Args:
            name: the sink's, in reports and metrics.
            deliver: delivers one item, within a time limit of its own; raises DeliveryError if the delivery failed.
            deliver_prediction: the same for the newest prediction; None ignores predictions.
            capacity: maximum number of waiting items.
            attempts: maximum number of attempts for each item; None retries until the outbox is closed.
            first_pause_s: pause before the second attempt; each pause is twice the previous one, up to LONGEST_PAUSE_S.
            workers: number of threads; one thread delivers the items in order.
            noun: the plural noun for the items in reports.

        """
        self.name = name
        self._deliver = deliver
        self._deliver_prediction = deliver_prediction
        self._attempts = attempts
        self._first_pause_s = first_pause_s
        self._capacity = capacity
        self._noun = noun
        self._items: deque[Item] = deque()
        self._prediction: FramePrediction | None = None
        self._delivered = self._dropped = self._reported_dropped = self._in_delivery = 0
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._deadline_s = float("inf")
        self._failing = self._closed = False
        self._reported_s = float("-inf")
        self._threads = [threading.Thread(target=self._work, name=f"sink {name}", daemon=True) for _ in range(workers)]
        for thread in self._threads:
            thread.start()

    def put(self, item: Item) -> None:
        """Queue an item; if there is no room, it replaces the oldest one."""
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
        """Return the counts so far."""
        with self._changed:
            return Counts(self._delivered, self._dropped, len(self._items) + self._in_delivery)

    def expired(self) -> bool:
        """Return whether the time limit of `close` has passed; a delivery must then stop waiting."""
        return time.monotonic() > self._deadline_s

    def close(self, within_s: float = CLOSE_S) -> None:
        """Deliver what is waiting for at most `within_s` seconds, drop and count the rest, and end the threads."""
        with self._changed:
            self._deadline_s = time.monotonic() + within_s
            self._closing.set()
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(max(0.0, self._deadline_s - time.monotonic()) + 0.5)
        with self._changed:
            left = len(self._items) + self._in_delivery
            self._dropped, self._in_delivery, self._closed = self._dropped + left, 0, True
            self._items.clear()
        if self._dropped > self._reported_dropped:
            self.report("closed before all were delivered" if left else "closed", at_once=True)

    def _work(self) -> None:
        while (item := self._next()) is not None:
            if isinstance(item, tuple):
                self._try_prediction(item[0])
            else:
                self._try_item(item)

    def _next(self) -> Item | tuple[FramePrediction] | None:
        """Wait for an item or a prediction; return a prediction in a tuple, to distinguish them, and None to stop."""
        with self._changed:
            while not (self._items or self._prediction or self._closing.is_set()):
                self._changed.wait()
            if self.expired():
                return None
            if self._items:
                self._in_delivery += 1
                return self._items.popleft()
            prediction, self._prediction = self._prediction, None
            return (prediction,) if prediction else None

    def _try_item(self, item: Item) -> None:
        pause_s = self._first_pause_s
        for attempt in count(1):
            problem = self._attempt(self._deliver, item)
            if problem is None or isinstance(problem, DeliveryRefused):
                break
            if attempt == self._attempts or self._closing.is_set():
                break
            self._closing.wait(pause_s)  # `close` ends the pause, and one last attempt follows
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
        with self._changed:
            if self._closed:  # `close` has counted it as dropped
                return
            self._in_delivery -= 1
            self._delivered += problem is None
            self._dropped += problem is not None
        self.report(f"gave up: {problem}") if problem else self._report_recovery()

    def _try_prediction(self, prediction: FramePrediction) -> None:
        if self._deliver_prediction is not None:
            self._attempt(self._deliver_prediction, prediction)

    def _attempt(self, deliver: Callable[[Delivered], None], item: Delivered) -> Exception | None:
        """Deliver an item; return the exception if it failed, because no exception may end the thread."""
        try:
            deliver(item)
        except DeliveryError as problem:
            self.report(str(problem))
            return problem
        except Exception as problem:  # noqa: BLE001 - after a bug in one delivery, the next items are still delivered
            self.report(f"failed unexpectedly: {problem!r}")
            return problem
        return None

    def report(self, why: str, *, at_once: bool = False, failing: bool = True) -> None:
        """Report a problem on stderr, at most once per REPORT_EVERY_S, because every write wears out an SD card.

        Args:
            why: the problem.
            at_once: report it even if the last report is recent.
            failing: whether deliveries fail, so that the next success is reported as well.

        """
        now_s = time.monotonic()
        if now_s - self._reported_s < REPORT_EVERY_S and not at_once:
            return
        self._reported_s, self._failing = now_s, failing or self._failing
        counts = self.counts()
        self._reported_dropped = counts.dropped
        state = f"{self._noun} waiting: {counts.waiting}, dropped so far: {counts.dropped}"
        print(f"edge-run: {self.name}: {' '.join(why.split())} ({state})", file=sys.stderr, flush=True)

    def _report_recovery(self) -> None:
        if self._failing:
            self._failing = False
            print(f"edge-run: {self.name}: delivers again", file=sys.stderr, flush=True)
