"""The options that say where events are sent besides the screen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.command_line.numbers import positive_int

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from edge_runtime.live.records import Sink

LOG_MB = 256
MEGABYTE = 1_000_000


@dataclass(frozen=True)
class SinkOptions:
    """Where events are sent, as the help describes it; None sends none there."""

    event_log: Path | None
    event_log_mb: int
    mqtt: str | None
    mqtt_node: str | None
    mqtt_topic: str | None
    webhook: str | None
    on_event: str | None


def add_sink_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of SinkOptions."""
    group = parser.add_argument_group(
        "where events are sent",
        "A receiver that is slow or unavailable never slows the camera; dropped events are reported on stderr.",
    )
    group.add_argument("--event-log", metavar="FILE", type=Path, help="SQLite log of events with thumbnails")
    group.add_argument(
        "--event-log-mb",
        metavar="MB",
        type=positive_int,
        default=LOG_MB,
        help=f"size limit; the oldest events are deleted first (default: {LOG_MB})",
    )
    group.add_argument(
        "--mqtt",
        metavar="HOST[:PORT]",
        help="broker, with Home Assistant discovery; mqtts://HOST for TLS; "
        "EDGE_RUN_MQTT_USER and EDGE_RUN_MQTT_PASSWORD in the environment",
    )
    group.add_argument("--mqtt-node", metavar="NAME", help="this device's name on the broker (default: the host name)")
    group.add_argument("--mqtt-topic", metavar="TOPIC", help="prefix of all topics (default: edgewise/NAME)")
    group.add_argument(
        "--webhook", metavar="URL", help="POST each event as JSON; EDGE_RUN_WEBHOOK_TOKEN is sent as a bearer token"
    )
    group.add_argument(
        "--on-event",
        metavar="COMMAND",
        help="run it, without a shell, with EDGE_EVENT, EDGE_LABEL, ... set and the best frame's JPEG on stdin",
    )


def sinks_from(options: SinkOptions) -> list[Sink]:
    """Open the sinks that the options name; if one cannot be opened, close the others. Raise EdgeError."""
    sinks: list[Sink] = []
    try:
        for sink in _open(options):
            sinks.append(sink)  # noqa: PERF402 - those opened so far must be known when the next one fails
    except BaseException:
        for sink in sinks:
            sink.close()
        raise
    return sinks


def _open(options: SinkOptions) -> Iterator[Sink]:
    if options.event_log:
        from edge_runtime.live.sinks.eventlog import EventLog

        yield EventLog(options.event_log, budget_bytes=options.event_log_mb * MEGABYTE)
    if options.mqtt:
        from edge_runtime.live.sinks.mqtt import Mqtt, parse_broker

        yield Mqtt(parse_broker(options.mqtt), node=options.mqtt_node, base=options.mqtt_topic)
    if options.webhook:
        from edge_runtime.live.sinks.webhook import Webhook

        yield Webhook(options.webhook)
    if options.on_event:
        from edge_runtime.live.sinks.hook import Hook

        yield Hook(options.on_event)
