"""The Raspberry Pi camera, through picamera2, which is part of Raspberry Pi OS (package python3-picamera2)."""

from __future__ import annotations

import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_runtime.errors import SourceError
from edge_runtime.live.records import Frame
from edge_runtime.live.sources.query import number, size, split_query

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from typing_extensions import Self

RGB = "BGR888"  # picamera2 names the bytes of a little-endian word: in memory, this format is R, G, B
MAIN = (1280, 960)  # large enough for a sensor mode with the complete field of view


class PiCamera:
    """Yield RGB frames, resized by the camera's hardware, as set by `picamera?size=640x480&fps=30`.

    Attributes:
        name: the name that the user gave.
        live: True.

    """

    live = True

    def __init__(self, name: str) -> None:
        self.name = name
        _, pairs = split_query(name, ("size", "fps"))
        settings = dict(pairs)
        self._size = size(name, settings.get("size", "640x480"))
        self._fps = number(name, settings.get("fps", "30"))
        self._camera: Any = None
        self._stream = "main"
        if find_spec("picamera2") is None:
            raise SourceError(
                f"{name}: needs picamera2: sudo apt install python3-picamera2, and a virtual environment made with "
                "--system-site-packages"
            )

    def __enter__(self) -> Self:
        """Start the camera. Raise SourceError."""
        from picamera2 import Picamera2

        try:
            self._camera = Picamera2()
            self._camera.configure(self._configuration())
            self._camera.start()
        except (RuntimeError, IndexError, OSError) as problem:  # there is no camera, or another program uses the camera
            self.__exit__(None, None, None)
            raise SourceError(f"{self.name}: cannot be opened: {problem}") from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the camera and release it."""
        if self._camera is not None:
            self._camera.close()

    def __iter__(self) -> Iterator[Frame]:
        """Yield its frames. Raise SourceError if a read fails."""
        count, latest = 0, None
        while True:
            try:
                request = self._camera.capture_request()
                try:
                    pixels, stamp = request.make_array(self._stream), request.get_metadata().get("SensorTimestamp")
                finally:
                    request.release()  # the buffer returns to the camera; make_array has copied it
            except (RuntimeError, OSError) as problem:
                raise SourceError(f"{self.name}: cannot be read: {problem}") from None
            if stamp is None or stamp != latest:
                age_s = _age_s(stamp)
                yield Frame(self.name, count, pixels, time.time() - age_s, time.monotonic() - age_s)
            count, latest = count + 1, stamp

    def _configuration(self) -> Any:  # noqa: ANN401 - picamera2 has no types
        """Request RGB at the requested size, from the `lores` stream if it can be RGB.

        The hardware scales both streams. With a large `main` stream, the sensor uses its complete field of view; a
        small one selects a mode that crops.
        """
        controls = {"FrameRate": self._fps}
        requested = {"size": self._size, "format": RGB}
        if _is_pi_5():
            self._stream = "lores"
            return self._camera.create_video_configuration(
                main={"size": MAIN}, lores=requested, controls=controls, buffer_count=2
            )
        return self._camera.create_video_configuration(main=requested, controls=controls, buffer_count=2)


def _is_pi_5() -> bool:
    """Return whether this is a Pi 5, whose `lores` stream can be RGB; on earlier models it is always YUV."""
    try:
        return "Raspberry Pi 5" in Path("/proc/device-tree/model").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False


def _age_s(stamp_ns: int | None) -> float:
    """Return the seconds since a SensorTimestamp, which is in nanoseconds since boot."""
    if stamp_ns is None:
        return 0.0
    return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - stamp_ns / 1e9)
