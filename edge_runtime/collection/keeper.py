"""Keep the frames whose labels would teach the model most, and a random sample of all frames, within a budget.

The live loop only decides whether a frame is a candidate, which takes microseconds. A thread of its own encodes and
writes the candidates; if it is too slow, candidates are dropped and counted.
"""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, NamedTuple

from edge_runtime.classify.decision import UNKNOWN
from edge_runtime.collection.bursts import Bursts
from edge_runtime.collection.choice import hard_reason
from edge_runtime.collection.errors import CollectionError
from edge_runtime.collection.looks import average_hash, is_near_repeat
from edge_runtime.collection.names import picture_name
from edge_runtime.collection.pictures import picture_of
from edge_runtime.collection.records import HASH_DIGITS, KeptFrame
from edge_runtime.collection.schedule import RandomTimes, Rate
from edge_runtime.collection.shelf import Item, Shelf, read_items
from edge_runtime.collection.store import free_bytes, remove_leftovers, write_picture
from edge_runtime.errors import EdgeError
from edge_runtime.live.sinks.outbox import DeliveryRefused, Outbox

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge_runtime.collection.choice import Reason
    from edge_runtime.collection.looks import Look
    from edge_runtime.image.preprocess import Roi
    from edge_runtime.live.records import Frame, FramePrediction

KEPT = "kept"
CAPACITY = 8  # candidates that wait; each may be a decoded picture
FLIPPED_SHARE = 0.25  # of the rate of hard frames: whatever enters changes the decision, also if it is easy
NEWEST = 16  # a hard frame that nearly repeats one of the newest ones is not kept again
MOST_REMEMBERED = 200  # kept frames that the page can refer to
MINUTE_S = 60.0
WAIT_S = 0.005


@dataclass(frozen=True)
class Limits:
    """How much is kept.

    Attributes:
        budget_bytes: size limit of all kept frames.
        per_minute: kept frames per minute, on average.
        random_share: fraction of both that is a random sample of all frames, 0..1.
        min_free_bytes: nothing is written if less is free on the file system.

    """

    budget_bytes: int = 500_000_000
    per_minute: float = 10.0
    random_share: float = 0.1
    min_free_bytes: int = 200_000_000


class Model(NamedTuple):
    """The model that decides.

    Attributes:
        sha256: digest of its file.
        artifact: name of the artifact.
        min_familiarity: the spec's.

    """

    sha256: str
    artifact: str
    min_familiarity: float | None = None


@dataclass(frozen=True)
class Candidate:
    """A frame to keep.

    Attributes:
        frame: the frame.
        prediction: what the model said.
        reason: why it is kept.
        event: number of the event during which it was captured; None if there was none.

    """

    frame: Frame
    prediction: FramePrediction
    reason: Reason
    event: int | None


class Kept(NamedTuple):
    """A frame of this run that was kept: a count from 1, the frame's number and the picture's name."""

    number: int
    frame: int
    name: str


class Keeper:
    """Keeps frames in FOLDER/kept.

    Attributes:
        model: the model that decides; another thread may replace it.
        outbox: its queue and counts.
        repeated: number of hard frames that were not kept because they nearly repeat a recent one.

    """

    def __init__(
        self,
        folder: Path,
        model: Model,
        limits: Limits | None = None,
        *,
        roi: Roi | None = None,
        moment: Callable[[Frame], float] | None = None,
        waits: bool = False,
        seed: int | None = None,
    ) -> None:
        """Create the folder and start the thread.

        Args:
            folder: `kept` is created in it.
            model: the model that decides.
            limits: how much is kept.
            roi: the region that is classified, which is then what is stored; None for the complete picture.
            moment: returns a frame's time, see `moment_of`; None takes that of a camera.
            waits: whether `offer` waits for the thread instead of dropping a candidate, as for files.
            seed: of the random sample; None for another one each time.

        Raises:
            CollectionError: the folder cannot be created.

        """
        self._folder = _created(folder / KEPT)
        self.model = model
        self._limits = limits or Limits()
        self._roi = roi
        self._moment = moment or (lambda frame: frame.captured_s)
        self._waits = waits
        self._rate, self._flips, self._random_times = _rates(self._limits, seed)
        self._shelves: dict[bool, Shelf] | None = None  # by whether they are for random frames; read by the thread
        self._bursts = Bursts()
        self._stable, self._events = UNKNOWN, 0
        self._lock = threading.Lock()
        self._recent: deque[Kept] = deque(maxlen=MOST_REMEMBERED)
        self._count = 0
        self._looks: deque[Look] = deque(maxlen=NEWEST)  # of the newest kept frames
        self.repeated = 0
        self.outbox: Outbox[Candidate] = Outbox(
            "kept frames", self._deliver, capacity=CAPACITY, attempts=1, noun="frames"
        )

    def offer(self, frame: Frame, prediction: FramePrediction) -> None:
        """Receive a frame and its prediction; queue it if it is to be kept. Call it in the loop's thread."""
        flipped = prediction.stable != self._stable
        if flipped:
            self._stable, self._events = prediction.stable, self._events + 1
        reason = self._reason(prediction, self._moment(frame), flipped=flipped)
        if reason is not None:
            event = None if prediction.stable == UNKNOWN else self._events
            while self._waits and self.outbox.counts().waiting >= CAPACITY:
                time.sleep(WAIT_S)
            self.outbox.put(Candidate(frame, prediction, reason, event))

    def kept_after(self, number: int) -> list[Kept]:
        """Return the newest kept frames of this run whose count is greater than `number`, oldest first."""
        with self._lock:
            return [item for item in self._recent if item.number > number]

    def close(self) -> None:
        """Write what is queued, and end the thread."""
        self.outbox.close()

    def _reason(self, prediction: FramePrediction, now_s: float, *, flipped: bool) -> Reason | None:
        if self._random_times.is_due(now_s):  # first, so that the sample does not depend on what the model says
            return "random"
        reason = hard_reason(
            prediction.label,
            prediction.top,
            prediction.familiarity,
            min_familiarity=self.model.min_familiarity,
            flipped=flipped,
        )
        if reason is None or (reason == "flipped" and not self._flips.take(now_s)):
            return None
        return reason if self._rate.take(now_s) else None

    def _deliver(self, item: Candidate) -> None:
        """Write a candidate. Raise DeliveryRefused; the outbox reports it once a minute and counts the frame."""
        try:
            self._write(item)
        except OSError as problem:
            self._shelves = None  # the disk may be another one when it is back
            raise DeliveryRefused(f"{self._folder}: cannot be written: {problem.strerror or problem}") from None
        except EdgeError as problem:
            raise DeliveryRefused(str(problem)) from None

    def _write(self, item: Candidate) -> None:
        free = free_bytes(self._folder)
        if free < self._limits.min_free_bytes:
            needed = self._limits.min_free_bytes // 1_000_000
            raise DeliveryRefused(
                f"{self._folder}: less than {needed} MB are free; nothing is kept until there are more"
            )
        picture = picture_of(item.frame, self._roi)
        value = average_hash(picture.look)
        is_random = item.reason == "random"
        shelf = self._opened_shelves()[is_random]
        if not is_random and any(is_near_repeat(picture.look, look) for look in self._looks):
            self.repeated += 1
            return
        self._looks.append(picture.look)
        burst = self._bursts.next(self._moment(item.frame), picture.look, item.event)
        name = picture_name(item.frame.captured_at, burst, picture.content, picture.suffix)
        sidecar = self._record(item, burst, value).to_json()
        size_bytes = len(picture.content) + len(sidecar)
        shelf.make_room(size_bytes)
        write_picture(self._folder / name, picture.content, sidecar)
        shelf.add(Item(name, size_bytes, value, is_random))
        with self._lock:
            self._count += 1
            self._recent.append(Kept(self._count, item.frame.number, name))

    def _opened_shelves(self) -> dict[bool, Shelf]:
        """Return the shelves with what was kept before; only the thread calls it, because reading takes time."""
        if self._shelves is None:
            remove_leftovers(self._folder)
            budget, share = self._limits.budget_bytes, self._limits.random_share
            shelves = {
                False: Shelf(self._folder, round(budget * (1 - share)), is_random=False),
                True: Shelf(self._folder, round(budget * share), is_random=True),
            }
            for item in read_items(self._folder):
                shelves[item.is_random].add(item)
            self._shelves = shelves
        return self._shelves

    def _record(self, item: Candidate, burst: str, value: int) -> KeptFrame:
        prediction = item.prediction
        return KeptFrame(
            label=prediction.label,
            score=prediction.score,
            top=prediction.top,
            familiarity=prediction.familiarity,
            stable=prediction.stable,
            reason=item.reason,
            model=self.model.sha256,
            artifact=self.model.artifact,
            time=_iso(item.frame.captured_at),
            burst=burst,
            source=prediction.source,
            frame=prediction.frame,
            average_hash=f"{value:0{HASH_DIGITS}x}",
        )


def _created(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise CollectionError(f"{folder.parent}: cannot be used for --keep-hard: {problem.strerror}") from None
    return folder


def _rates(limits: Limits, seed: int | None) -> tuple[Rate, Rate, RandomTimes]:
    """Return how often hard frames are kept, those of changed decisions among them, and when random ones are."""
    per_s = limits.per_minute / MINUTE_S
    # Not for cryptography: which frames are drawn is no secret.
    times = RandomTimes(per_s * limits.random_share, random.Random(seed))  # noqa: S311
    hard_per_s = per_s * (1 - limits.random_share)
    return Rate(hard_per_s), Rate(hard_per_s * FLIPPED_SHARE), times


def _iso(at: float) -> str:
    """Return a wall-clock time as ISO 8601 in UTC, with milliseconds; an empty text if it has none."""
    with suppress(ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(at, timezone.utc).isoformat(timespec="milliseconds")
    return ""
