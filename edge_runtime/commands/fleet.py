"""edge-run fleet: show the devices that report to a broker, and what needs a person first."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_runtime.command_line.numbers import positive_float
from edge_runtime.command_line.runner import FAILURE, SUCCESS, set_action
from edge_runtime.errors import SourceError
from edge_runtime.system.credentials import credential

if TYPE_CHECKING:
    from edge_runtime.fleet.collect import Found

WAIT_S = 10.0
PREFIX = "edgewise/+"


@dataclass(frozen=True)
class FleetOptions:
    """The options of `edge-run fleet`, as its help describes them."""

    mqtt: str
    mqtt_password_file: Path | None
    topic: str
    tag: list[str]
    wait: float  # seconds
    json: bool
    page: Path | None


def add_parser(commands: Any) -> None:  # noqa: ANN401 - argparse keeps its subparsers' type private
    """Add the subcommand."""
    command = commands.add_parser(
        "fleet",
        help="show the devices that report to an MQTT broker",
        description="Show the devices whose edge-run watch or serve publishes to a broker with --mqtt: model, state of "
        "its updates, pace, temperature, drift and free space. What needs a person comes first.",
        example="edge-run fleet --mqtt broker.local",
    )
    command.add_argument("--mqtt", metavar="HOST[:PORT]", required=True, help="as for watch")
    command.add_argument("--mqtt-password-file", metavar="FILE", type=Path, help="as for watch")
    command.add_argument(
        "--tag", metavar="TAG", action="append", default=[], help="only devices with this --mqtt-tag; repeatable"
    )
    command.add_argument("--page", metavar="FILE", type=Path, help="write an HTML page with search and sorting")
    command.add_argument("--json", action="store_true", help="print one JSON object for each device")
    command.add_argument(
        "--topic", metavar="TOPIC", default=PREFIX, help=f"prefix of the devices' topics, + is any (default: {PREFIX})"
    )
    command.add_argument(
        "--wait", metavar="S", type=positive_float, default=WAIT_S, help=f"longest wait (default: {WAIT_S:g} s)"
    )
    set_action(command, FleetOptions, fleet)


def fleet(options: FleetOptions) -> int:
    """Print the devices, or write the page. Return FAILURE if there is none."""
    from edge_runtime.fleet.attention import by_urgency
    from edge_runtime.fleet.table import to_json, to_text

    if options.page and not options.page.parent.is_dir():
        raise SourceError(f"--page {options.page}: the folder does not exist")
    found = _collected(options)
    for topic, why in found.unreadable.items():
        print(f"edge-run: {topic!a}: {why}", file=sys.stderr)
    wanted = set(options.tag)
    devices = [device for device in found.devices() if wanted <= set(device.report.facts.tags)]
    if not devices:
        tags = f" with the tag {' and '.join(options.tag)}" if options.tag else ""
        print(
            f"edge-run: no device{tags} has left a report at {options.mqtt} under {options.topic}/device; "
            "edge-run watch --mqtt publishes one",
            file=sys.stderr,
        )
        return FAILURE
    now = time.time()
    rows = by_urgency(devices, now)
    if options.page:
        from edge_runtime.fleet.page import fleet_page
        from edge_runtime.storage.json_files import write_text

        write_text(options.page, fleet_page(rows, now))
        print(f"edge-run: {options.page}: {len(rows)} devices; open it in a browser", file=sys.stderr)
    if options.json:
        for row in rows:
            print(json.dumps(to_json(*row)))
    elif not options.page:
        print(to_text(rows))
    return SUCCESS


def _collected(options: FleetOptions) -> Found:
    from edge_runtime.fleet.collect import collect
    from edge_runtime.live.sinks.broker import PASSWORD_VARIABLE, USER_VARIABLE, Login, parse_broker

    user = credential(USER_VARIABLE)
    password = credential(PASSWORD_VARIABLE, options.mqtt_password_file)
    login = Login(user, password) if user else None
    return collect(parse_broker(options.mqtt), login, options.topic, options.wait)
