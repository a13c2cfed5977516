"""The server's metrics for Prometheus, with the official client library.

The library's global registry is not used: it would add metrics of the interpreter.
"""

from __future__ import annotations

import os
import time
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from edge_runtime.drift.reasons import REASONS
from edge_runtime.system.device_state import temperature_c
from edge_runtime.web.hub import PERCENTILES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from prometheus_client import Metric

    from edge_runtime.live.sinks.outbox import Outbox
    from edge_runtime.web.hub import Hub

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"  # the text format that `generate_latest` writes


class ServerCollector(Collector):
    """Collects the values of all metrics when Prometheus requests them.

    Attributes:
        hub: the live loop's results.
        outboxes: outboxes of the sinks, for their counts of delivered and dropped events.
        uploads: number of responses to POST /classify by HTTP status.
        drift: the snapshot of `DriftWatch`; None if nothing compares what the camera sees with the training.

    """

    def __init__(
        self,
        hub: Hub,
        outboxes: Sequence[Outbox[Any]],
        uploads: Mapping[str, int],
        drift: Mapping[str, Any] | None = None,
    ) -> None:
        self.hub = hub
        self.outboxes = outboxes
        self.uploads = uploads
        self.drift = drift

    def collect(self) -> Iterator[Metric]:
        """Yield all metric families that have a known value."""
        yield from _live_families(self.hub)
        yield from _sink_families(self.outboxes)
        yield from _counters("uploads_total", "Responses to POST /classify.", self.uploads, "status")
        if self.drift:
            yield from _drift_families(self.drift)
        yield from _process_families()


def render_metrics(
    hub: Hub, outboxes: Sequence[Outbox[Any]], uploads: Mapping[str, int], drift: Mapping[str, Any] | None = None
) -> bytes:
    """Return the current metrics in Prometheus's text format, as UTF-8; see `ServerCollector` for the arguments."""
    registry = CollectorRegistry()
    registry.register(ServerCollector(hub, outboxes, uploads, drift))
    return generate_latest(registry)


def _live_families(hub: Hub) -> Iterator[Metric]:
    state = hub.state()
    yield CounterMetricFamily("edgewise_frames_total", "Frames decided.", state.frames)
    yield CounterMetricFamily("edgewise_frames_dropped_total", "Frames skipped for newer ones.", state.dropped)
    yield from _counters("events_total", "Events by kind.", state.events, "kind")
    yield from _gauge("frames_per_second", "Frames classified per second, recently.", state.fps)
    yield from _gauge("freshness_seconds", "Time since the newest decision.", hub.fresh_s())
    yield from _familiarity_families(hub)
    latency = GaugeMetricFamily(
        "edgewise_latency_seconds",
        "Recent latency by stage; age is from capture to decision.",
        labels=("stage", "quantile"),
    )
    for stage, percentiles in state.latency_ms.items():
        if percentiles is not None:
            for percent in PERCENTILES:
                latency.add_metric((stage, f"{percent / 100:g}"), percentiles[f"p{percent}"] / 1e3)
    if latency.samples:
        yield latency


def _familiarity_families(hub: Hub) -> Iterator[Metric]:
    """Yield the histogram of the familiarity and the counter of unfamiliar frames, if the model computes it."""
    found = hub.familiarities()
    if found is None:
        return
    counts = list(accumulate(found.counts))  # a bucket of Prometheus contains those below it
    limits = [f"{(number + 1) / len(counts):g}" for number in range(len(counts))]
    buckets = [*zip(limits, counts, strict=True), ("+Inf", counts[-1])]
    yield HistogramMetricFamily("edgewise_familiarity", "Familiarity of the frames.", buckets, found.total)
    yield CounterMetricFamily(
        "edgewise_unfamiliar_frames_total", "Frames that are unknown because of their familiarity.", found.unfamiliar
    )


def _sink_families(outboxes: Sequence[Outbox[Any]]) -> Iterator[Metric]:
    if not outboxes:
        return
    delivered = CounterMetricFamily("edgewise_sink_delivered_total", "Events delivered.", labels=("sink",))
    dropped = CounterMetricFamily("edgewise_sink_dropped_total", "Events dropped.", labels=("sink",))
    waiting = GaugeMetricFamily("edgewise_sink_waiting", "Events waiting for delivery.", labels=("sink",))
    for outbox in outboxes:
        counts = outbox.counts()
        delivered.add_metric((outbox.name,), counts.delivered)
        dropped.add_metric((outbox.name,), counts.dropped)
        waiting.add_metric((outbox.name,), counts.waiting)
    yield from (delivered, dropped, waiting)


def _drift_families(drift: Mapping[str, Any]) -> Iterator[Metric]:
    now = {reason["name"] for reason in drift["reasons"]}
    reasons = GaugeMetricFamily("edgewise_drift", "1 if this is different from the training.", labels=("reason",))
    for name in REASONS:
        reasons.add_metric((name,), float(name in now))
    yield reasons
    positions = GaugeMetricFamily(
        "edgewise_drift_position",
        "Mean position of what the camera sees among the training photographs; 0.5 is as in training.",
        labels=("statistic",),
    )
    for name, value in drift["positions"].items():
        positions.add_metric((name,), value)
    if drift["positions"]:
        yield positions
    yield from _gauge("unfamiliar_ratio", "Fraction of what the camera sees that is unfamiliar.", drift["unfamiliar"])


def _process_families() -> Iterator[Metric]:
    yield from _gauge("device_temperature_celsius", "Hottest thermal zone.", temperature_c())
    yield from _gauge("resident_memory_bytes", "Resident memory of this process.", _resident_bytes())
    yield CounterMetricFamily(
        "edgewise_processor_seconds_total", "Processor time of this process.", time.process_time()
    )


def _counters(name: str, documentation: str, values: Mapping[str, int], label: str) -> Iterator[Metric]:
    """Yield a counter family with one label, unless it is empty."""
    family = CounterMetricFamily(f"edgewise_{name}", documentation, labels=(label,))
    for label_value, count in values.items():
        family.add_metric((label_value,), count)
    if values:
        yield family


def _gauge(name: str, documentation: str, value: float | None) -> Iterator[Metric]:
    """Yield a gauge without labels, unless its value is unknown."""
    if value is not None:
        yield GaugeMetricFamily(f"edgewise_{name}", documentation, value)


def _resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
