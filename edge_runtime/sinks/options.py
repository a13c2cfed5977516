"""The options of `edge-run watch` and `serve` that say where events go besides the screen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.command import positive_int

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from edge_runtime.records import Sink

LOG_MB = 256
MEGABYTE = 1_000_000


def add_sink_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that `sinks_from` reads."""
    group = parser.add_argument_group(
        "where events go", "A receiver that is slow or away never slows the camera; what is dropped is told on stderr."
    )
    group.add_argument("--event-log", metavar="FILE", type=Path, help="SQLite log of events with thumbnails")
    group.add_argument(
        "--event-log-mb",
        metavar="MB",
        type=positive_int,
        default=LOG_MB,
        help=f"the oldest go first (default: {LOG_MB})",
    )
    group.add_argument(
        "--mqtt",
        metavar="HOST[:PORT]",
        help="broker, with Home Assistant discovery; mqtts://HOST for TLS; "
        "EDGE_RUN_MQTT_USER and EDGE_RUN_MQTT_PASSWORD in the environment",
    )
    group.add_argument("--mqtt-node", metavar="NAME", help="this device's name there (default: the host's)")
    group.add_argument("--mqtt-topic", metavar="TOPIC", help="topic above all others (default: edgewise/NAME)")
    group.add_argument(
        "--webhook", metavar="URL", help="POST each event as JSON; EDGE_RUN_WEBHOOK_TOKEN is sent as a bearer token"
    )
    group.add_argument(
        "--on-event",
        metavar="COMMAND",
        help="run it, without a shell, with EDGE_EVENT, EDGE_LABEL, ... set and the best frame's JPEG on stdin",
    )


def sinks_from(args: argparse.Namespace) -> list[Sink]:
    """Open the sinks that the options name; those opened are closed again when one cannot be. Raises EdgeError."""
    makers: list[tuple[object, Callable[[argparse.Namespace], Sink]]] = [
        (args.event_log, _event_log),
        (args.mqtt, _mqtt),
        (args.webhook, _webhook),
        (args.on_event, _hook),
    ]
    sinks: list[Sink] = []
    try:
        for wanted, make in makers:
            if wanted:
                sinks.append(make(args))
    except BaseException:
        for sink in sinks:
            sink.close()
        raise
    return sinks


def _event_log(args: argparse.Namespace) -> Sink:
    from edge_runtime.sinks.eventlog import EventLog

    return EventLog(args.event_log, budget_bytes=args.event_log_mb * MEGABYTE)


def _mqtt(args: argparse.Namespace) -> Sink:
    from edge_runtime.sinks.mqtt import Mqtt, parse_broker

    return Mqtt(parse_broker(args.mqtt), node=args.mqtt_node, base=args.mqtt_topic)


def _webhook(args: argparse.Namespace) -> Sink:
    from edge_runtime.sinks.webhook import Webhook

    return Webhook(args.webhook)


def _hook(args: argparse.Namespace) -> Sink:
    from edge_runtime.sinks.hook import Hook

    return Hook(args.on_event)
