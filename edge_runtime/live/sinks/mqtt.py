"""MQTT with Home Assistant discovery, with paho-mqtt.

Events use QoS 1: each is kept until the broker has acknowledged it, so it may arrive twice, but none is lost while
the queue has room. They are not retained, because an old event is of no use to a later subscriber. Predictions use
QoS 0, the newest one per second: the next one replaces a lost one. Availability, the camera's state, the best frame
and the discovery messages are retained with QoS 1, so that later subscribers know the present state.
"""

from __future__ import annotations

import json
import os
import re
import socket
import threading
import time
from importlib.metadata import version
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from edge_runtime.errors import BackendUnavailable, SourceError
from edge_runtime.live.sinks.home_assistant import BIRTH, discovery, topics
from edge_runtime.live.sinks.outbox import DeliveryError, Outbox

if TYPE_CHECKING:
    from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage, MQTTMessageInfo
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

    from edge_runtime.live.records import Event, FramePrediction

PORT, TLS_PORT = 1883, 8883
KEEP_ALIVE_S = 30
LONGEST_WAIT_S = 30  # between two attempts to connect
PREDICTION_EVERY_S = 1.0
POLL_S = 0.2
MOST_IN_PAHO = 100  # messages in paho's own queue; all others wait in the outbox
OFFLINE_S = 1.0  # time limit for the broker to acknowledge the last message
USER_VARIABLE, PASSWORD_VARIABLE = "EDGE_RUN_MQTT_USER", "EDGE_RUN_MQTT_PASSWORD"
CAMERA_STATE = {"stalled": "OFF", "lost": "OFF", "recovered": "ON"}


class Broker(NamedTuple):
    """The address of a broker."""

    host: str
    port: int
    tls: bool


class Mqtt:
    """Publish to a broker and reconnect whenever the connection is lost.

    Attributes:
        topics: the topics of this device.
        outbox: its queue and counts.

    """

    def __init__(self, broker: Broker, *, node: str | None = None, base: str | None = None) -> None:
        """Connect in the background; a broker that is not reachable is not an error.

        Args:
            broker: its address.
            node: the device's identifier; None uses the host's name.
            base: the prefix of all topics; None uses edgewise/NODE.

        Raises:
            BackendUnavailable: paho-mqtt is not installed.

        """
        node = _identifier(node or socket.gethostname())
        base = base or f"edgewise/{node}"
        self.topics = topics(base)
        self._announcements = discovery(node, base, version("edgewise"))
        self._camera = "ON"
        self._connected = threading.Event()
        self._reason = f"no answer at {broker.host}:{broker.port} yet"
        self._predicted_s = float("-inf")
        self._client = _client(f"edgewise-{node}", broker, self.topics.availability)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message
        self.outbox = Outbox("mqtt", self._send_event, self._send_prediction, first_pause_s=POLL_S)
        self._client.connect_async(broker.host, broker.port, KEEP_ALIVE_S)
        self._client.loop_start()

    def prediction(self, prediction: FramePrediction) -> None:
        """Keep the newest prediction for publishing."""
        self.outbox.put_prediction(prediction)

    def event(self, event: Event) -> None:
        """Queue an event."""
        self.outbox.put(event)

    def close(self) -> None:
        """Publish what is queued, within a few seconds, then publish "offline" as the availability and disconnect."""
        self.outbox.close()
        if self._connected.is_set():
            offline = self._client.publish(self.topics.availability, "offline", qos=1, retain=True)
            _acknowledged(offline, OFFLINE_S)
        self._client.disconnect()
        self._client.loop_stop()

    def _send_event(self, event: Event) -> None:
        if not self._connected.wait(1.0):
            raise DeliveryError(f"the broker is not reachable: {self._reason}")
        if event.kind in CAMERA_STATE:
            self._camera = CAMERA_STATE[event.kind]
            self._publish_retained(self.topics.camera, self._camera)
        if event.thumbnail:
            self._publish_retained(self.topics.thumbnail, event.thumbnail)
        payload = json.dumps({"event_type": event.kind, **event.to_json()})
        sent = self._client.publish(self.topics.event, payload, qos=1)
        # paho sends an unacknowledged message again after every reconnection, so it is passed to paho only once.
        while not _acknowledged(sent, POLL_S):
            if self.outbox.expired():
                raise DeliveryError("the broker did not acknowledge in time")

    def _send_prediction(self, prediction: FramePrediction) -> None:
        now_s = time.monotonic()
        if self._connected.is_set() and now_s - self._predicted_s >= PREDICTION_EVERY_S:
            self._predicted_s = now_s
            self._client.publish(self.topics.prediction, json.dumps(prediction.to_json()), qos=0)

    def _announce(self) -> None:
        for topic, message in self._announcements.items():
            self._publish_retained(topic, json.dumps(message))
        self._publish_retained(self.topics.camera, self._camera)
        self._publish_retained(self.topics.availability, "online")

    def _publish_retained(self, topic: str, payload: str | bytes) -> None:
        self._client.publish(topic, payload, qos=1, retain=True)

    def _on_connect(
        self, client: Client, _data: object, _flags: ConnectFlags, reason: ReasonCode, _more: Properties | None
    ) -> None:
        if reason.is_failure:
            self._reason = str(reason)
            return
        client.subscribe(BIRTH)
        self._announce()
        self._connected.set()

    def _on_disconnect(
        self, _client: Client, _data: object, _flags: DisconnectFlags, reason: ReasonCode, _more: Properties | None
    ) -> None:
        self._connected.clear()
        self._reason = str(reason)
        if reason.is_failure:
            self.outbox.report(f"the connection to the broker was lost: {reason}")

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        if message.topic == BIRTH and message.payload == b"online":
            self._announce()


def _acknowledged(sent: MQTTMessageInfo, within_s: float) -> bool:
    """Wait for the broker to acknowledge a message. Raise DeliveryError if paho did not accept it."""
    from paho.mqtt.enums import MQTTErrorCode

    if sent.rc == MQTTErrorCode.MQTT_ERR_QUEUE_SIZE:
        raise DeliveryError("too many messages are unacknowledged")
    sent.rc = MQTTErrorCode.MQTT_ERR_SUCCESS  # "no connection" means that it is sent as soon as there is one
    sent.wait_for_publish(within_s)
    return sent.is_published()


def parse_broker(text: str) -> Broker:
    """Parse HOST, HOST:PORT, mqtt://HOST:PORT or mqtts://HOST:PORT. Raise SourceError."""
    parts = urlsplit(text if "://" in text else f"mqtt://{text}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or parts.scheme not in {"mqtt", "mqtts"} or parts.path.strip("/"):
        raise SourceError(f"--mqtt {text!r}: must be HOST, HOST:PORT, mqtt://HOST:PORT or mqtts://HOST:PORT")
    if parts.username or parts.password:
        raise SourceError(
            f"--mqtt: keep secrets off the command line; set {USER_VARIABLE} and {PASSWORD_VARIABLE} in the environment"
        )
    tls = parts.scheme == "mqtts"
    return Broker(host, port or (TLS_PORT if tls else PORT), tls)


def _client(client_id: str, broker: Broker, availability: str) -> Client:
    try:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion
    except ModuleNotFoundError:
        raise BackendUnavailable("--mqtt needs paho-mqtt; install it with: pip install 'edgewise[mqtt]'") from None
    client = Client(CallbackAPIVersion.VERSION2, client_id=client_id)
    client.will_set(availability, "offline", qos=1, retain=True)
    client.reconnect_delay_set(1, LONGEST_WAIT_S)
    client.max_queued_messages_set(MOST_IN_PAHO)
    if user := os.environ.get(USER_VARIABLE):
        client.username_pw_set(user, os.environ.get(PASSWORD_VARIABLE))
    if broker.tls:
        client.tls_set()
    return client


def _identifier(name: str) -> str:
    """Return a name in which characters that a topic or an identifier must not contain are replaced."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", name)
