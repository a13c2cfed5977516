"""The server's metrics in Prometheus's text format."""

from __future__ import annotations

import math
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from edge_runtime.system.device_state import temperature_c
from edge_runtime.web.hub import PERCENTILES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from edge_runtime.live.records import Event
    from edge_runtime.live.sinks.outbox import Outbox
    from edge_runtime.web.hub import Hub

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metric(NamedTuple):
    """One metric family.

    Its name without the prefix, type, help, and its values by label texts such as `kind="left"`.
    """

    name: str
    kind: str
    help: str
    values: Mapping[str, float | None]


def metrics(hub: Hub, outboxes: Sequence[Outbox[Event]], uploads: Mapping[str, int]) -> str:
    """Return all metrics as text.

    Args:
        hub: the live loop's results.
        outboxes: of the sinks, for their counts of delivered and dropped items.
        uploads: number of responses to POST /classify by HTTP status.

    """
    families = [*_live(hub), *_deliveries(outboxes), *_process(uploads)]
    return "".join(_lines(family) for family in families)


def _live(hub: Hub) -> Iterable[Metric]:
    state, totals = hub.state(), hub.totals()
    yield Metric("frames_total", "counter", "Frames decided.", {"": totals.get("frames", 0)})
    yield Metric("frames_dropped_total", "counter", "Frames skipped for newer ones.", {"": totals.get("dropped", 0)})
    events = {f'kind="{key[6:]}"': value for key, value in totals.items() if key.startswith("event ")}
    yield Metric("events_total", "counter", "Events by kind.", events)
    yield Metric("frames_per_second", "gauge", "Frames classified per second, recently.", {"": state["fps"]})
    yield Metric("freshness_seconds", "gauge", "Time since the newest decision.", {"": hub.fresh_s()})
    latency = {
        f'stage="{stage}",quantile="{percent / 100:g}"': values and values[f"p{percent}"] / 1e3
        for stage, values in state["latency_ms"].items()
        for percent in PERCENTILES
    }
    yield Metric("latency_seconds", "gauge", "Recent latency by stage; age is from capture to decision.", latency)


def _deliveries(outboxes: Sequence[Outbox[Event]]) -> Iterable[Metric]:
    counts = {f'sink="{outbox.name}"': outbox.counts() for outbox in outboxes}
    for index, (name, kind, text) in enumerate(
        [
            ("sink_delivered_total", "counter", "Events delivered."),
            ("sink_dropped_total", "counter", "Events dropped."),
            ("sink_waiting", "gauge", "Events waiting for delivery."),
        ]
    ):
        yield Metric(name, kind, text, {label: count[index] for label, count in counts.items()})


def _process(uploads: Mapping[str, int]) -> Iterable[Metric]:
    answers = {f'status="{status}"': count for status, count in uploads.items()}
    yield Metric("uploads_total", "counter", "Responses to POST /classify.", answers)
    yield Metric("device_temperature_celsius", "gauge", "Hottest thermal zone.", {"": temperature_c()})
    yield Metric("resident_memory_bytes", "gauge", "Resident memory of this process.", {"": _resident_bytes()})
    yield Metric("processor_seconds_total", "counter", "Processor time of this process.", {"": time.process_time()})


def _resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _lines(metric: Metric) -> str:
    """Return one family's lines; unknown values are left out, and so is a family without known values."""
    name = f"edgewise_{metric.name}"
    known = {label: value for label, value in metric.values.items() if value is not None}
    if not known:
        return ""
    samples = [
        f"{name}{{{label}}} {_number(value)}" if label else f"{name} {_number(value)}" for label, value in known.items()
    ]
    return "\n".join([f"# HELP {name} {metric.help}", f"# TYPE {name} {metric.kind}", *samples]) + "\n"


def _number(value: float) -> str:
    return "+Inf" if math.isinf(value) else f"{value:.10g}"
