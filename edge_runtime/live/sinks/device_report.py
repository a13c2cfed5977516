"""What a device says about itself over MQTT, once a minute: its model, its pace and its health."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from dataclasses import asdict, dataclass, fields
from statistics import median
from typing import Any, NamedTuple

from edge_runtime.errors import EdgeError
from edge_runtime.storage.json_files import parse_json

FORMAT = 1
MAX_BYTES = 8192  # of a report
MAX_TEXT, MAX_LIST = 200, 20
MAX_TIMES = 1000  # inference times that a report is computed from


class ReportError(EdgeError):
    """A report that cannot be read."""


class DeviceFacts(NamedTuple):
    """What does not come from the live loop.

    Attributes:
        device: the identity that also decides about rollouts.
        tags: the groups of the device.
        edgewise: the installed version.
        bundle: the first 8 hexadecimal digits of the SHA-256 of the bundle's manifest.
        channel: the channel of the model; None if it is not from a models folder.
        version: its number in the channel.
        state: of the updates, see `edge_runtime.update.status`; empty without a models folder.
        detail: the reason of the state, one line.
        temperature_c: of the processor in degrees Celsius; None if unknown.
        free_bytes: free space on the disk of the bundle; None if unknown.

    """

    device: str
    tags: tuple[str, ...]
    edgewise: str
    bundle: str
    channel: str | None
    version: int | None
    state: str
    detail: str
    temperature_c: float | None
    free_bytes: int | None


@dataclass(frozen=True)
class DeviceReport:
    """One report.

    Attributes:
        node: the camera's identifier on the broker.
        at: when it was made, in seconds since the epoch.
        facts: what does not come from the live loop.
        fps: frames that were decided per second since the last report; None before the first frame.
        inference_ms: their median inference time in milliseconds.
        camera: whether the camera sends frames.
        drift: what differs from the training, in words.

    """

    node: str
    at: float
    facts: DeviceFacts
    fps: float | None
    inference_ms: float | None
    camera: bool
    drift: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        own = asdict(self)
        facts = own.pop("facts")
        return {"format": FORMAT, **own, **DeviceFacts(*facts)._asdict()}


def parse_report(content: bytes) -> DeviceReport:
    """Parse and check what a broker has delivered, which anybody may have sent. Raise ReportError."""
    if len(content) > MAX_BYTES:
        raise ReportError(f"a report of {len(content)} bytes; at most {MAX_BYTES} are read")
    data = parse_json(content, "a report", ReportError)
    own = [field.name for field in fields(DeviceReport) if field.name != "facts"]
    if set(data) != {"format", *own, *DeviceFacts._fields} or data["format"] != FORMAT:
        raise ReportError(f"not a report in format {FORMAT}, which this version of edgewise reads")
    for name, value in data.items():
        if not _is_valid(name, value):
            raise ReportError(f"a report whose {name!r} is not valid")
    facts = DeviceFacts(*(_tupled(data[name]) for name in DeviceFacts._fields))
    return DeviceReport(facts=facts, **{name: _tupled(data[name]) for name in own})


class Rates:
    """The pace of the live loop; any thread may call it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._times_ms: deque[float] = deque(maxlen=MAX_TIMES)
        self._frames = 0
        self._since_s = time.monotonic()

    def seen(self, inference_ms: float) -> None:
        """Count a frame that was decided."""
        with self._lock:
            self._frames += 1
            self._times_ms.append(inference_ms)

    def taken(self) -> tuple[float | None, float | None]:
        """Return frames per second and median inference time in milliseconds since the last call, and reset both."""
        with self._lock:
            frames, times, since_s = self._frames, list(self._times_ms), self._since_s
            self._frames, self._since_s = 0, time.monotonic()
            self._times_ms.clear()
        seconds = max(time.monotonic() - since_s, 1e-3)
        return (round(frames / seconds, 2), round(median(times), 3)) if frames else (None, None)


NUMBERS = {"at", "fps", "inference_ms", "temperature_c", "free_bytes", "version"}
LISTS = {"tags", "drift"}
MAY_BE_NONE = {"fps", "inference_ms", "temperature_c", "free_bytes", "channel", "version"}


def _is_valid(name: str, value: object) -> bool:
    if value is None:
        return name in MAY_BE_NONE
    if name == "format":
        return True
    if name == "camera":
        return isinstance(value, bool)
    if name in NUMBERS:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if name in LISTS:
        return isinstance(value, list) and len(value) <= MAX_LIST and all(map(_is_text, value))
    return _is_text(value)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= MAX_TEXT and (value.isprintable() or not value)


def _tupled(value: Any) -> Any:  # noqa: ANN401 - a JSON value
    return tuple(value) if isinstance(value, list) else value
