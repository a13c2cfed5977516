"""Read the reports that devices have left on a broker. Anybody may have sent them, so each one is checked."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_runtime.errors import BackendUnavailable, SourceError
from edge_runtime.live.sinks.device_report import DeviceReport, ReportError, parse_report

if TYPE_CHECKING:
    from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

    from edge_runtime.live.sinks.broker import Broker, Login

MAX_PACKET = 16_384  # bytes; the broker keeps larger messages back (MQTT 5, Maximum Packet Size)
MAX_DEVICES = 100_000
QUIET_S = 1.0  # without another message: all retained ones have arrived
KEEP_ALIVE_S = 30


@dataclass(frozen=True)
class Device:
    """A device of the fleet.

    Attributes:
        topic: the prefix of its topics.
        report: its last report.
        online: whether it is connected to the broker; None if it did not say.

    """

    topic: str
    report: DeviceReport
    online: bool | None


@dataclass
class Found:
    """What a broker has delivered.

    Attributes:
        reports: by the prefix of the topics.
        online: the same for the availability.
        unreadable: why a report could not be read, by the prefix of its topics.

    """

    reports: dict[str, DeviceReport] = field(default_factory=dict)
    online: dict[str, bool] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)

    def devices(self) -> list[Device]:
        """Return the devices in the order of their topics."""
        return [Device(topic, report, self.online.get(topic)) for topic, report in sorted(self.reports.items())]

    def take(self, topic: str, payload: bytes) -> None:
        """Take a message."""
        base, _, name = topic.rpartition("/")
        if len(self.reports) + len(self.unreadable) >= MAX_DEVICES:
            return
        if name == "availability":
            self.online[base] = payload == b"online"
            return
        try:
            self.reports[base] = parse_report(payload)
        except ReportError as problem:
            self.unreadable[base] = str(problem)


@dataclass
class _Link:
    """The state of the connection.

    Attributes:
        answered: whether the broker has answered.
        refusal: why it refuses the connection; empty if it does not.
        newest_s: when it last sent something, on the monotonic clock.

    """

    answered: threading.Event = field(default_factory=threading.Event)
    refusal: str = ""
    newest_s: float = field(default_factory=time.monotonic)


def collect(broker: Broker, login: Login | None, prefix: str, wait_s: float) -> Found:
    """Return what devices have left on a broker.

    Args:
        broker: its address.
        login: None connects without one.
        prefix: the prefix of the devices' topics, with + for any part, such as "edgewise/+".
        wait_s: the longest time to wait for messages.

    Raises:
        BackendUnavailable: paho-mqtt is not installed.
        SourceError: the broker cannot be reached, or refuses the connection.

    """
    client, found = _client(broker, login), Found()
    link, where = _listen(client, prefix, found), f"--mqtt {broker.host}:{broker.port}"
    try:
        client.connect(broker.host, broker.port, KEEP_ALIVE_S, properties=_limits())
    except OSError as problem:
        raise SourceError(f"{where}: {problem.strerror or problem}; is the broker running?") from None
    client.loop_start()
    try:
        end_s = time.monotonic() + wait_s
        if not link.answered.wait(wait_s):
            raise SourceError(f"{where}: no answer within {wait_s:g} s")
        if link.refusal:
            raise SourceError(f"{where}: the broker refused the connection: {link.refusal}")
        while time.monotonic() < min(end_s, link.newest_s + QUIET_S):
            time.sleep(QUIET_S / 10)
    finally:
        client.disconnect()
        client.loop_stop()
    return found


def _listen(client: Client, prefix: str, found: Found) -> _Link:
    """Make a client subscribe as soon as it is connected, and collect what it receives in `found`."""
    link = _Link()

    def on_connect(
        client: Client, _data: object, _flags: ConnectFlags, reason: ReasonCode, _more: Properties | None
    ) -> None:
        """Ask for the reports, or note why the broker refuses."""
        if reason.is_failure:
            link.refusal = str(reason)
        else:
            # QoS 0: of the others, a broker queues only some (Mosquitto 1,000) for each client and drops the rest.
            client.subscribe([(f"{prefix}/{name}", 0) for name in ("device", "availability")])
        link.newest_s = time.monotonic()
        link.answered.set()

    def on_message(_client: Client, _data: object, message: MQTTMessage) -> None:
        """Take a message."""
        link.newest_s = time.monotonic()
        found.take(message.topic, bytes(message.payload))

    client.on_connect, client.on_message = on_connect, on_message
    return link


def _client(broker: Broker, login: Login | None) -> Client:
    try:
        from paho.mqtt.client import Client, MQTTv5
        from paho.mqtt.enums import CallbackAPIVersion
    except ModuleNotFoundError:
        raise BackendUnavailable("fleet needs paho-mqtt; install it with: pip install 'edgewise[mqtt]'") from None
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv5)
    if login:
        client.username_pw_set(*login)
    if broker.tls:
        client.tls_set()
    return client


def _limits() -> Properties:
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties

    limits = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call] # paho has no types here
    limits.MaximumPacketSize = MAX_PACKET
    return limits
