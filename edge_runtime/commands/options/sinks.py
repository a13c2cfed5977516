"""The options that say where events are sent besides the screen."""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from edge_runtime.command_line.numbers import positive_int
from edge_runtime.system.credentials import address_from, credential

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from edge_runtime.live.records import Sink

LOG_MB = 256
MEGABYTE = 1_000_000


class Closable(Protocol):
    """A sink, or something else that finishes its work when it is closed."""

    def close(self) -> None:
        """Finish the work."""
        ...


@dataclass(frozen=True)
class SinkOptions:
    """Where events are sent, as the help describes it; None sends none there."""

    event_log: Path | None
    event_log_mb: int
    mqtt: str | None
    mqtt_node: str | None
    mqtt_topic: str | None
    mqtt_tag: list[str]
    mqtt_password_file: Path | None
    webhook: str | None
    webhook_token_file: Path | None
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
    group.add_argument(
        "--mqtt-password-file", metavar="FILE", type=Path, help="read the password from this file instead"
    )
    group.add_argument(
        "--mqtt-node",
        metavar="NAME",
        help="this camera's name on the broker (default: host and camera)",
    )
    group.add_argument("--mqtt-topic", metavar="TOPIC", help="prefix of all topics (default: edgewise/NAME)")
    group.add_argument(
        "--mqtt-tag",
        metavar="TAG",
        type=_tag,
        action="append",
        default=[],
        help="a group of this device, for edge-run fleet; repeat it for several",
    )
    group.add_argument(
        "--webhook",
        metavar="URL",
        help="POST each event as JSON; EDGE_RUN_WEBHOOK_TOKEN is sent as a bearer token; @FILE: a file with the URL",
    )
    group.add_argument("--webhook-token-file", metavar="FILE", type=Path, help="read the token from this file instead")
    group.add_argument(
        "--on-event",
        metavar="COMMAND",
        help="run it, without a shell, with EDGE_EVENT, EDGE_LABEL, ... set and the best frame's JPEG on stdin",
    )


def _tag(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,32}", text):
        raise argparse.ArgumentTypeError(f"must be 1 to 32 letters, digits, - and _, not {text!r}")
    return text


def sinks_from(options: SinkOptions, camera: str, bundle: str) -> list[Sink]:
    """Open the sinks that the options name; if one cannot be opened, close the others. Raise EdgeError.

    Args:
        options: where events are sent.
        camera: the source's name.
        bundle: the bundle's path as the user gave it.

    """
    sinks: list[Sink] = []
    try:
        for sink in _open(options, camera, bundle):
            sinks.append(sink)  # noqa: PERF402 - those opened so far must be known when the next one fails
    except BaseException:
        close_all(sinks)
        raise
    return sinks


def close_all(sinks: Iterable[Closable]) -> None:
    """Close every sink; a problem with one is reported and does not keep the others open."""
    for sink in sinks:
        try:
            sink.close()
        except Exception as problem:  # noqa: BLE001 - whatever one sink raises, the next ones must be closed
            print(f"edge-run: {type(sink).__name__}: cannot be closed: {problem!r}", file=sys.stderr, flush=True)


def _open(options: SinkOptions, camera: str, bundle: str) -> Iterator[Sink]:
    if options.event_log:
        from edge_runtime.live.sinks.eventlog import EventLog

        yield EventLog(options.event_log, budget_bytes=options.event_log_mb * MEGABYTE)
    if options.mqtt:
        yield _open_mqtt(options, options.mqtt, camera, bundle)
    if options.webhook:
        from edge_runtime.live.sinks.webhook import TOKEN_VARIABLE, Webhook

        token = credential(TOKEN_VARIABLE, options.webhook_token_file)
        yield Webhook(address_from(options.webhook), token=token)
    if options.on_event:
        from edge_runtime.live.sinks.hook import Hook

        yield Hook(options.on_event)


def _open_mqtt(options: SinkOptions, address: str, camera: str, bundle: str) -> Sink:
    from edge_runtime.commands.options.device import facts_of
    from edge_runtime.live.sinks.broker import PASSWORD_VARIABLE, USER_VARIABLE, Login, node_of, parse_broker
    from edge_runtime.live.sinks.mqtt import Mqtt

    broker = parse_broker(address)
    user = credential(USER_VARIABLE)
    password = credential(PASSWORD_VARIABLE, options.mqtt_password_file)
    return Mqtt(
        broker,
        node=options.mqtt_node or node_of(camera),
        base=options.mqtt_topic,
        login=Login(user, password) if user else None,
        facts=facts_of(bundle, options.mqtt_tag),
    )
