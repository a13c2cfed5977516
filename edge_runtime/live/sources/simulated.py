"""A camera for tests and demos: it plays the images of a folder in a loop, with faults on request.

`simulated:FOLDER?fps=30&size=640x480&form=jpeg&stall=90:5` plays at 30 frames per second and sends nothing for 5 s
before frame 90. `form` is `jpeg` or `array`, RGB pixels. A fault is written `NAME=FRAME:VALUE` and may be repeated:

    stall=90:5        no frame for 5 s
    freeze=90:30      the same picture is sent for 30 frames
    drop=90:10        10 frames are lost
    tear=90:3         3 JPEGs end in the middle; the lower half of 3 arrays is from the previous frame
    corrupt=90:3      the second half of 3 JPEGs is noise; no effect on arrays
    swap=90:30        red and blue are exchanged in 30 frames
    shape=90:320x240  all further frames have another size
    jump=90:-3600     the wall clock is set back by an hour
    disconnect=90:5   reading and opening fail for 5 s
"""

from __future__ import annotations

import io
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

import numpy as np
from PIL import Image

from edge_runtime.errors import SourceError
from edge_runtime.image.files import image_files
from edge_runtime.image.preprocess import FORMATS
from edge_runtime.live.records import Frame, SettingsError
from edge_runtime.live.sources.query import number, size, split_query

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from typing_extensions import Self

    from edge_runtime.image.preprocess import Pixels, Size

FaultKind = Literal["stall", "freeze", "drop", "tear", "corrupt", "swap", "shape", "jump", "disconnect"]
SETTINGS = ("fps", "size", "form", "frames", *get_args(FaultKind))
MOST_PICTURES = 64  # kept in memory
MARK_BITS = 16
# The start of a JPEG comment of eight bytes, which makes each picture unique, as those of a real camera are.
COMMENT = b"\xff\xfe\x00\x0a"


class Fault(NamedTuple):
    """A fault: its kind, the frame at which it begins, and its length in frames, seconds or pixels."""

    kind: FaultKind
    first: int
    amount: float
    size: Size

    def covers(self, frame: int) -> bool:
        """Return whether a fault that lasts for some frames applies to this one."""
        return self.first <= frame < self.first + self.amount


@dataclass
class Playback:
    """The state of the camera, which all its copies share."""

    frame: int = 0
    clock_offset_s: float = 0.0
    silent_until_s: float = 0.0
    absent_until_s: float = 0.0
    openings: int = 0
    done: set[Fault] = field(default_factory=set)


class SimulatedCamera:
    """Play the images of a folder in a loop; see this module's docstring.

    Attributes:
        name: the name that the user gave.
        live: True.

    """

    live = True

    def __init__(self, name: str) -> None:
        self.name = name
        self._folder, pairs = split_query(name.partition(":")[2], SETTINGS)
        settings = dict(pairs)
        self._fps = number(name, settings.get("fps", "30"))  # 0: without waiting
        self._frames = number(name, settings.get("frames", "0"))
        self._size = size(name, settings.get("size", "640x480"))
        self._form = settings.get("form", "jpeg")
        if self._form not in {"jpeg", "array"}:
            raise SourceError(f"{name}: form must be jpeg or array, not {self._form!r}")
        self._faults = [_fault(name, kind, value) for kind, value in pairs if kind in get_args(FaultKind)]
        self._playback = Playback()
        self._pictures: dict[tuple[int, Size], Pixels] = {}
        self._jpegs: dict[tuple[int, Size, bool], bytes] = {}
        self._paths: list[str] = []
        self._opening = 0

    def __enter__(self) -> Self:
        """Find the folder's images. Raise SourceError, also while the camera is disconnected."""
        if time.monotonic() < self._playback.absent_until_s:
            raise SourceError(f"{self.name}: disconnected")
        if not self._paths:
            for path in image_files(self._folder):
                self._paths.append(path)
                if len(self._paths) == MOST_PICTURES:
                    break
        if not Path(self._paths[0]).is_file():
            raise SettingsError(f"{self.name}: no such folder; simulated:FOLDER?fps=30 plays the images of FOLDER")
        self._playback.openings += 1
        self._opening = self._playback.openings
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Do nothing; no file stays open."""

    def __iter__(self) -> Iterator[Frame]:
        """Yield frames at the frame rate, with the faults. Raise SourceError if the camera disconnects."""
        first, due_s = self._playback.frame, time.monotonic()
        while not self._frames or self._playback.frame < self._frames:
            frame = self._playback.frame
            due_s = max(due_s + (1 / self._fps if self._fps else 0.0), time.monotonic() - 1.0)
            time.sleep(max(0.0, due_s - time.monotonic()))
            self._play_faults(frame)
            time.sleep(max(0.0, self._playback.silent_until_s - time.monotonic()))
            if self._opening != self._playback.openings:
                raise SourceError(f"{self.name}: was opened again by another reader")
            self._playback.frame += 1
            if not any(fault.kind == "drop" and fault.covers(frame) for fault in self._faults):
                at = time.time() + self._playback.clock_offset_s
                yield Frame(self.name, frame - first, self._image(frame), at, time.monotonic())

    def _play_faults(self, frame: int) -> None:
        """Start each fault that begins at this frame, once."""
        for fault in self._faults:
            if fault.first > frame or fault in self._playback.done:
                continue
            self._playback.done.add(fault)
            if fault.kind == "stall":
                self._playback.silent_until_s = time.monotonic() + fault.amount
            elif fault.kind == "jump":
                self._playback.clock_offset_s += fault.amount
            elif fault.kind == "shape":
                self._size = fault.size
            elif fault.kind == "disconnect":
                self._playback.absent_until_s = time.monotonic() + fault.amount
                raise SourceError(f"{self.name}: disconnected")

    def _image(self, frame: int) -> bytes | Pixels:
        on = {fault.kind for fault in self._faults if fault.covers(frame)}
        shown = next((f.first for f in self._faults if f.kind == "freeze" and f.covers(frame)), frame)
        if self._form == "array":
            return self._array(shown, torn="tear" in on, swapped="swap" in on)
        jpeg = self._jpeg(shown, swapped="swap" in on)
        if "corrupt" in on:
            noise = np.random.default_rng(frame).integers(0, 256, len(jpeg) // 2, np.uint8).tobytes()
            return jpeg[: len(jpeg) // 2] + noise
        return jpeg[: len(jpeg) // 2] if "tear" in on else jpeg

    def _array(self, frame: int, *, torn: bool, swapped: bool) -> Pixels:
        pixels = self._picture(frame)
        if torn:
            pixels, half = pixels.copy(), len(pixels) // 2
            pixels[half:] = self._picture(frame - 1)[half:]
        return _marked(pixels[..., ::-1] if swapped else pixels, frame)

    def _jpeg(self, frame: int, *, swapped: bool) -> bytes:
        key = (frame % len(self._paths), self._size, swapped)
        if key not in self._jpegs:
            stream = io.BytesIO()
            pixels = self._picture(frame)[..., ::-1] if swapped else self._picture(frame)
            Image.fromarray(np.ascontiguousarray(pixels)).save(stream, "JPEG")
            self._jpegs[key] = stream.getvalue()
        jpeg = self._jpegs[key]
        return jpeg[:2] + COMMENT + frame.to_bytes(8, "big") + jpeg[2:]

    def _picture(self, frame: int) -> Pixels:
        index = frame % len(self._paths)
        if (index, self._size) not in self._pictures:
            self._pictures[index, self._size] = self._read(self._paths[index])
        return self._pictures[index, self._size]

    def _read(self, path: str) -> Pixels:
        try:
            with Image.open(path, formats=FORMATS) as image:
                return np.asarray(image.convert("RGB").resize(self._size))
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
            raise SettingsError(f"{self.name}: {path} is not a readable image; replace or remove it") from None


def _marked(pixels: Pixels, frame: int) -> Pixels:
    """Return a copy in which the lowest bits of the first pixels differ for each frame, as a sensor's noise does."""
    marked = pixels.copy()
    first = marked[0, :MARK_BITS, 0]
    first ^= np.array([frame >> bit & 1 for bit in range(len(first))], np.uint8)
    return marked


def _fault(name: str, kind: str, value: str) -> Fault:
    first, _, amount = value.partition(":")
    start = int(number(name, first))
    if kind == "shape":
        return Fault("shape", start, 0, size(name, amount))
    sign = -1 if amount.startswith("-") and kind == "jump" else 1
    known = next(item for item in get_args(FaultKind) if item == kind)
    return Fault(known, start, sign * number(name, amount.removeprefix("-") if sign < 0 else amount or "1"), (0, 0))
