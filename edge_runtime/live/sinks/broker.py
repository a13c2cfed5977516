"""The address of an MQTT broker, the names on it, and a client that cannot be flooded; with paho-mqtt."""

from __future__ import annotations

import re
import socket
import zlib
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from edge_runtime.errors import BackendUnavailable, SourceError

if TYPE_CHECKING:
    from paho.mqtt.client import Client

PORT, TLS_PORT = 1883, 8883
LONGEST_WAIT_S = 30  # between two attempts to connect
MOST_IN_PAHO = 100  # messages in paho's own queue; all others wait in the outbox
MAX_RECEIVED_BYTES = 65_536  # acknowledgements have a few bytes
NAME_LENGTH = 40
USER_VARIABLE, PASSWORD_VARIABLE = "EDGE_RUN_MQTT_USER", "EDGE_RUN_MQTT_PASSWORD"


class Broker(NamedTuple):
    """The address of a broker."""

    host: str
    port: int
    tls: bool


class Login(NamedTuple):
    """A user of a broker.

    Attributes:
        user: the name.
        password: not shown in messages.

    """

    user: str
    password: str | None

    def __repr__(self) -> str:
        return f"Login({self.user!r})"


def parse_broker(text: str) -> Broker:
    """Parse HOST, HOST:PORT, mqtt://HOST:PORT or mqtts://HOST:PORT. Raise SourceError."""
    if "@" in text:
        raise SourceError(
            f"--mqtt: keep secrets off the command line; set {USER_VARIABLE} and {PASSWORD_VARIABLE} in the environment"
        )
    parts = urlsplit(text if "://" in text else f"mqtt://{text}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or parts.scheme not in {"mqtt", "mqtts"} or parts.path.strip("/"):
        raise SourceError(f"--mqtt {text!r}: must be HOST, HOST:PORT, mqtt://HOST:PORT or mqtts://HOST:PORT")
    tls = parts.scheme == "mqtts"
    return Broker(host, port or (TLS_PORT if tls else PORT), tls)


def node_of(camera: str, host: str | None = None) -> str:
    """Return the default identifier of a camera: the host's name and the camera's.

    Two cameras of one device have different ones; otherwise the broker would disconnect one for the other.

    Args:
        camera: the source's name, such as "0" or "/dev/video0".
        host: None uses this host's name.

    """
    device = camera if "://" in camera else camera.partition("?")[0]  # without settings such as ?size=640x480
    name = f"video{device}" if device.isdecimal() else device.removeprefix("/dev/")
    short = identifier(name).strip("_")
    if len(short) > NAME_LENGTH or short != name:  # what was left out or replaced may be the only difference
        short = f"{short[:NAME_LENGTH]}_{zlib.crc32(name.encode()):08x}"
    return f"{identifier(host or socket.gethostname())}-{short}"


def sending_client(client_id: str, broker: Broker, availability: str, login: Login | None) -> Client:
    """Return a client that publishes "offline" as its last will. Raise BackendUnavailable without paho-mqtt."""
    try:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion
    except ModuleNotFoundError:
        raise BackendUnavailable("--mqtt needs paho-mqtt; install it with: pip install 'edgewise[mqtt]'") from None
    client = Client(CallbackAPIVersion.VERSION2, client_id=client_id)
    client.will_set(availability, "offline", qos=1, retain=True)
    client.reconnect_delay_set(1, LONGEST_WAIT_S)
    client.max_queued_messages_set(MOST_IN_PAHO)
    _limit_received(client)
    if login:
        client.username_pw_set(*login)
    if broker.tls:
        client.tls_set()
    return client


def _limit_received(client: Client) -> None:
    """Close the connection instead of receiving a large packet: paho would keep up to 256 MB of it in memory."""
    receive = client._sock_recv  # noqa: SLF001 - paho has no option for it in MQTT 3.1.1

    def bounded(bufsize: int) -> bytes:
        """Receive at most `bufsize` bytes; paho asks for the whole rest of a packet."""
        if bufsize > MAX_RECEIVED_BYTES:
            raise ConnectionError(f"the broker sent a packet of {bufsize} bytes")
        return receive(bufsize)

    client._sock_recv = bounded  # type: ignore[method-assign] # noqa: SLF001


def identifier(name: str) -> str:
    """Return a name in which characters that a topic or an identifier must not contain are replaced."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", name)
