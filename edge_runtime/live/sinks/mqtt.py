"""MQTT with Home Assistant discovery, with paho-mqtt.

Events use QoS 1: each is kept until the broker has acknowledged it, so it may arrive twice, but none is lost while
the queue has room. They are not retained, because an old event is of no use to a later subscriber. Predictions use
QoS 0, the newest one per second: the next one replaces a lost one. Availability, the camera's state, the best frame,
the device's report and the discovery messages are retained with QoS 1, so that later subscribers know the present
state; so does Home Assistant after a restart. Nothing is subscribed to, so that no other client can send messages to
this one.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import suppress
from importlib.metadata import version
from typing import TYPE_CHECKING

from edge_runtime.live.liveness import MEANINGS
from edge_runtime.live.sinks.broker import PASSWORD_VARIABLE, USER_VARIABLE, identifier, sending_client
from edge_runtime.live.sinks.device_report import DeviceReport, Rates
from edge_runtime.live.sinks.home_assistant import EXPIRES_S, discovery, topics
from edge_runtime.live.sinks.outbox import DeliveryError, Outbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessageInfo
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

    from edge_runtime.live.liveness import State
    from edge_runtime.live.records import Event, FramePrediction
    from edge_runtime.live.sinks.broker import Broker, Login
    from edge_runtime.live.sinks.device_report import DeviceFacts

KEEP_ALIVE_S = 30
PREDICTION_EVERY_S = 1.0
REPEAT_EVERY_S = EXPIRES_S / 4
REPORT_EVERY_S = 60.0
POLL_S = 0.2
OFFLINE_S = 1.0  # time limit for the broker to acknowledge the last message
LOGIN_REFUSED = frozenset({"Not authorized", "Bad user name or password"})
DRIFT_KINDS = ("drifted", "drift_ended")
CAMERA_STATE = {"stalled": "OFF", "lost": "OFF", "recovered": "ON"}


class Mqtt:
    """Publish to a broker and reconnect whenever the connection is lost.

    Attributes:
        topics: the topics of this device.
        outbox: its queue and counts.

    """

    def __init__(
        self,
        broker: Broker,
        *,
        node: str | None = None,
        base: str | None = None,
        login: Login | None = None,
        facts: Callable[[], DeviceFacts] | None = None,
    ) -> None:
        """Connect in the background; a broker that is not reachable is not an error.

        Args:
            broker: its address.
            node: the camera's identifier on the broker, see `node_of`; None uses the host's name.
            base: the prefix of all topics; None uses edgewise/NODE.
            login: None connects without one.
            facts: reads what the device's report contains; None publishes no report.

        Raises:
            BackendUnavailable: paho-mqtt is not installed.

        """
        node = self._node = identifier(node or socket.gethostname())
        base = base or f"edgewise/{node}"
        self.topics = topics(base)
        self._announcements = discovery(node, base, version("edgewise"))
        self._camera = "ON"
        self._facts, self._rates, self._report_s = facts, Rates(), float("-inf")
        self._drift: list[str] = []  # what is different from the training, in words
        self._connected = threading.Event()
        self._address = f"{broker.host}:{broker.port}"
        self._user = login.user if login else None
        self._reason = f"no answer at {self._address} yet"
        self._predicted_s = float("-inf")
        self._last: FramePrediction | None = None
        self._repeat_s = float("inf")
        self._client = sending_client(f"edgewise-{node}", broker, self.topics.availability, login)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self.outbox = Outbox("mqtt", self._send_event, self._send_prediction, first_pause_s=POLL_S)
        self._client.connect_async(broker.host, broker.port, KEEP_ALIVE_S)
        self._client.loop_start()

    def prediction(self, prediction: FramePrediction) -> None:
        """Keep the newest prediction for publishing."""
        self._rates.seen(prediction.inference_ms)
        self._last, self._repeat_s = prediction, time.monotonic() + REPEAT_EVERY_S
        self.outbox.put_prediction(prediction)

    def state_changed(self, state: State) -> None:
        """Publish the last prediction again from time to time while the source is alive, or receivers discard it."""
        if self._last is None or not MEANINGS[state].is_alive or time.monotonic() < self._repeat_s:
            return
        self._repeat_s = time.monotonic() + REPEAT_EVERY_S
        self.outbox.put_prediction(self._last)

    def event(self, event: Event) -> None:
        """Queue an event."""
        self.outbox.put(event)

    def close(self) -> None:
        """Publish what is queued, within a few seconds, then publish "offline" as the availability and disconnect."""
        self.outbox.close()
        if self._connected.is_set():
            with suppress(DeliveryError):  # the broker then publishes the last will, which is the same
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
            self._publish_report()  # without frames, the next one would come too late
        if event.kind in DRIFT_KINDS:
            words = event.detail.partition(", since ")[0]
            self._drift = [known for known in self._drift if known != words]
            self._drift += [words] if event.kind == "drifted" else []
            self._publish_drift()
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
        if self._connected.is_set() and now_s - self._report_s >= REPORT_EVERY_S:
            self._publish_report()

    def _announce(self) -> None:
        for topic, message in self._announcements.items():
            self._publish_retained(topic, json.dumps(message))
        self._publish_retained(self.topics.camera, self._camera)
        self._publish_drift()
        self._publish_report()
        self._publish_retained(self.topics.availability, "online")

    def _publish_drift(self) -> None:
        state = {"state": "ON" if self._drift else "OFF", "reasons": self._drift}
        self._publish_retained(self.topics.drift, json.dumps(state))

    def _publish_report(self) -> None:
        if self._facts is None:
            return
        self._report_s = time.monotonic()
        fps, inference_ms = self._rates.taken()
        report = DeviceReport(
            self._node,
            round(time.time(), 3),
            self._facts(),
            fps,
            inference_ms,
            self._camera == "ON",
            tuple(self._drift),
        )
        self._publish_retained(self.topics.device, json.dumps(report.to_json()))

    def _publish_retained(self, topic: str, payload: str | bytes) -> None:
        self._client.publish(topic, payload, qos=1, retain=True)

    def _on_connect(
        self, _client: Client, _data: object, _flags: ConnectFlags, reason: ReasonCode, _more: Properties | None
    ) -> None:
        if reason.is_failure:
            self._reason = self._refusal(str(reason))
            self.outbox.report(self._reason)
            return
        self._announce()
        self._connected.set()

    def _on_disconnect(
        self, _client: Client, _data: object, _flags: DisconnectFlags, reason: ReasonCode, _more: Properties | None
    ) -> None:
        if not self._connected.is_set():  # the broker refused the connection; `_on_connect` knows why
            return
        self._connected.clear()
        self._reason = str(reason)
        if reason.is_failure:
            self.outbox.report(
                f"the connection to the broker was lost: {reason}; if this repeats, another client may have the same "
                "name: set --mqtt-node"
            )

    def _refusal(self, reason: str) -> str:
        """Return why the broker refused the connection, and what to do."""
        user = f"user {self._user!r}" if self._user else "a connection without a user"
        fix = f"; check {USER_VARIABLE} and {PASSWORD_VARIABLE}" if reason in LOGIN_REFUSED else ""
        return f"the broker at {self._address} refused {user}: {reason}{fix}"


def _acknowledged(sent: MQTTMessageInfo, within_s: float) -> bool:
    """Wait for the broker to acknowledge a message. Raise DeliveryError if paho did not accept it."""
    from paho.mqtt.enums import MQTTErrorCode

    if sent.rc == MQTTErrorCode.MQTT_ERR_QUEUE_SIZE:
        raise DeliveryError("too many messages are unacknowledged")
    sent.rc = MQTTErrorCode.MQTT_ERR_SUCCESS  # "no connection" means that it is sent as soon as there is one
    sent.wait_for_publish(within_s)
    return sent.is_published()
