"""What the request handlers share."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from edge_runtime.classify.classifier import Classifier
    from edge_runtime.collection.keeper import Keeper
    from edge_runtime.collection.review.reviews import Reviews
    from edge_runtime.live.drifting import DriftWatch
    from edge_runtime.live.sinks.outbox import Outbox
    from edge_runtime.web.hub import Hub
    from edge_runtime.web.protection.access import PublicUrl

STALE_S = 10.0


@dataclass
class Site:
    """The objects and counters that the request handlers share.

    Attributes:
        hub: the live loop's results.
        classifier: classifies uploads, in one thread at a time.
        token: token that requests must have; None if none is required.
        public_url: address of the proxy in front of the server; None if there is none.
        title: title of the page, such as the source's name.
        roi: x, y, width and height of the region that is classified, in pixels of a frame; None classifies all of it.
        event_log: the file that contains the events from before the start; None if there is none.
        outboxes: outboxes of the sinks, for the metrics.
        drift: compares what the camera sees with the training; None if nothing does.
        keeper: keeps frames for review; None if none are kept.
        reviews: the review of these frames.
        is_stopping: returns True when the server stops, so that the event streams end.
        stale_s: seconds without a prediction after which /healthz responds 503.
        viewers: number of connected event streams.
        uploads: number of uploads in progress.
        upload_responses: number of responses to POST /classify by HTTP status.
        classifying: held while the classifier is in use.
        device: the last values read from the device, as JSON.
        device_read_s: time of that reading, on the event loop's clock.

    """

    hub: Hub
    classifier: Classifier
    token: str | None = None
    public_url: PublicUrl | None = None
    title: str = "Edgewise"
    roi: tuple[int, int, int, int] | None = None
    event_log: Path | None = None
    outboxes: Sequence[Outbox[Any]] = ()
    keeper: Keeper | None = None
    reviews: Reviews | None = None
    drift: DriftWatch | None = None
    is_stopping: Callable[[], bool] = lambda: False
    stale_s: float = STALE_S
    viewers: int = 0
    uploads: int = 0
    upload_responses: Counter[str] = field(default_factory=Counter)
    classifying: asyncio.Lock = field(default_factory=asyncio.Lock)
    device: dict[str, Any] = field(default_factory=dict)
    device_read_s: float = float("-inf")
