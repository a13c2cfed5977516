"""Video files, V4L2 cameras, HTTP MJPEG and RTSP streams, all read with PyAV.

The packets of a JPEG stream are not decoded here, so that the JPEG decoder can scale to the size that the model needs.
"""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from traceback import clear_frames
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from edge_runtime.errors import SourceError
from edge_runtime.live.records import Frame
from edge_runtime.live.sources.http import reason_of
from edge_runtime.live.sources.lag import Lag
from edge_runtime.live.sources.query import number, size, split_query
from edge_runtime.live.sources.timeline import Timeline
from edge_runtime.system.addresses import shown_address

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import TracebackType

    from typing_extensions import Self

OPEN_TIMEOUT_S = 10.0
FALLBACK_FPS = 25.0
MOST_DAMAGES = 1000  # places of a file at which it may be damaged
DAMAGED = "it cannot be decoded completely"
CODED_ALONE = frozenset({"rawvideo", "mjpeg"})  # codecs that do not encode differences between pictures
# FFmpeg's AVFMT_TS_DISCONT and AVFMT_NOTIMESTAMPS
TIMESTAMPS_JUMP, NO_TIMESTAMPS = 0x0200, 0x0080
# Others decide the size of a stream's pictures, of which a decoder may keep 16.
MOST_PIXELS = {True: "9500000", False: "64000000"}
# Containers with measured timestamps; other containers compute them from the frame rate.
STAMPED = frozenset({"rtsp", "video4linux2,v4l2", "v4l2"})
# FFmpeg analyses a stream before the first frame; these options keep it from buffering frames, which would be old.
FRESH = {"fflags": "nobuffer", "flags": "low_delay", "fpsprobesize": "0", "analyzeduration": "500000"}


@dataclass
class Video:
    """A video file, camera or stream that PyAV opens; several copies of it can be open at the same time.

    Attributes:
        name: the name that the user gave, without secrets.
        url: the address that PyAV opens.
        live: True for a camera or a stream, False for a file.
        container_format: PyAV's name of the device, such as "v4l2", or None.
        options: sets of FFmpeg options, tried in turn until one opens.
        fps: frames to yield per second of a file, or None for all.
        timeout_s: time limits in seconds for opening and for a read; None, as for files, sets no limit.

    """

    name: str
    url: str
    live: bool
    container_format: str | None = None
    options: Sequence[Mapping[str, str]] = ({},)
    fps: float | None = None
    timeout_s: tuple[float, float] | None = None
    _container: Any = field(default=None, repr=False)

    def __enter__(self) -> Self:
        """Open it. Raise SourceError."""
        self._container = self._opened()
        streams = self._container.streams.video
        most = int(MOST_PIXELS[self.live])
        reason = "" if streams else "contains no video"
        if streams and streams[0].width * streams[0].height > most:  # of PyAV before 18, opening does not check it
            reason = f"{streams[0].width}x{streams[0].height} pixels are more than {most}"
        if reason:
            self._container.close()
            raise SourceError(f"{self.name}: {reason}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self._container.close()

    def __iter__(self) -> Iterator[Frame]:
        """Yield its frames. Raise SourceError if a read fails, or a file is damaged."""
        import av

        stream = self._container.streams.video[0]
        pictures = self._packets(stream) if stream.codec_context.name == "mjpeg" else self._decoded(stream)
        try:
            yield from self._live_frames(pictures) if self.live else self._file_frames(pictures)
        except av.error.FFmpegError as problem:
            # The traceback's frames refer to the last packet, which is in the driver's memory. It must be released
            # before the device is closed; releasing it later crashes the process.
            clear_frames(problem.__traceback__)
            raise SourceError(f"{self.name}: cannot be read: {problem.strerror}") from None

    def _opened(self) -> Any:  # noqa: ANN401 - PyAV is imported only when it is used
        import av

        # PyAV before 18 writes beyond its array of the streams' options if a format such as FLV or MPEG-TS shows its
        # streams only later, and crashes.
        for_streams = int(av.__version__.split(".")[0]) >= 18
        problems = []
        for options in self.options:
            try:
                settings = {"max_pixels": MOST_PIXELS[self.live], **options}
                return av.open(
                    self.url,
                    format=self.container_format,
                    options=settings if for_streams else None,
                    container_options=None if for_streams else settings,
                    timeout=self.timeout_s,
                )
            except (av.error.FFmpegError, OSError, ValueError) as problem:
                problems.append(self._reason(problem))
        raise SourceError(f"{self.name}: cannot be opened: {problems[-1]}") from None

    def _reason(self, problem: Exception) -> str:
        """Return why it cannot be opened."""
        host = urlsplit(self.url).hostname if "://" in self.url else None
        if host:
            with suppress(ValueError):
                try:
                    socket.getaddrinfo(host, None)
                except socket.gaierror as unknown:
                    return reason_of(unknown)
        if host and isinstance(problem, TimeoutError):
            return reason_of(problem)
        return getattr(problem, "strerror", None) or str(problem).replace(self.url, self.name)

    def _packets(self, stream: Any) -> Iterator[tuple[float | None, Any]]:  # noqa: ANN401 - PyAV's stream
        """Yield each JPEG with its time in the stream, in seconds; None for a damaged one."""
        for packet in self._read(stream):
            if packet is None:
                yield None, None
            elif packet.size:  # the last packet is empty; it flushes a decoder
                seconds = None if packet.pts is None else float(packet.pts * packet.time_base)
                yield seconds, None if packet.is_corrupt else bytes(packet)

    def _decoded(self, stream: Any) -> Iterator[tuple[float | None, Any]]:  # noqa: ANN401 - PyAV's stream
        """Yield each decoded picture with its time in the stream; None for one that cannot be decoded completely."""
        import av

        stream.thread_type = "SLICE" if self.live else "AUTO"  # frame threads delay frames
        for packet in self._read(stream):
            try:
                pictures = [None] if packet is None else packet.decode()
            except (av.error.InvalidDataError, av.error.EOFError):
                pictures = [None]  # the stream was joined between two key frames, or data was lost
            for picture in pictures:
                yield picture and picture.time, None if picture is None or picture.is_corrupt else picture

    def _read(self, stream: Any) -> Iterator[Any]:  # noqa: ANN401 - PyAV's packets
        """Yield the packets; None where a file is damaged, behind which reading continues, as players do."""
        import av

        for _ in range(MOST_DAMAGES):
            try:
                yield from self._container.demux(stream)
            except av.error.InvalidDataError:
                if self.live:
                    raise
                yield None
            else:
                return

    def _live_frames(self, pictures: Iterator[tuple[float | None, Any]]) -> Iterator[Frame]:
        lag, latest = Lag(), None
        is_difference_coded = self._container.streams.video[0].codec_context.name not in CODED_ALONE
        stamped = self._container.format.name in STAMPED
        for count, (seconds, picture) in enumerate(pictures):
            received_s = time.monotonic()
            if picture is None:
                yield Frame(self.name, count, b"", time.time(), received_s, flaw=DAMAGED)
                continue
            if stamped and seconds == latest:
                continue  # a repeated picture
            latest = seconds
            delay_s = lag.seconds(received_s, seconds) if stamped and seconds is not None else 0.0
            at, at_s = time.time() - delay_s, received_s - delay_s
            yield Frame(self.name, count, _image(picture), at, at_s, is_difference_coded=is_difference_coded)

    def _file_frames(self, pictures: Iterator[tuple[float | None, Any]]) -> Iterator[Frame]:
        opened_at, due_s, number, undamaged = time.time(), 0.0, 0, 0
        stream, flags = self._container.streams.video[0], self._container.format.flags
        # Without timestamps, only the codec's own headers contain the real rate.
        coded_rate = stream.codec_context.framerate if flags & NO_TIMESTAMPS else None
        rate = float(coded_rate or stream.average_rate or stream.guessed_rate or FALLBACK_FPS)
        timeline = Timeline(1 / rate, is_joinable=bool(flags & TIMESTAMPS_JUMP))
        for stamp_s, picture in pictures:
            seconds = timeline.seconds(None if stamp_s is None else float(stamp_s))
            if self.fps and seconds < due_s - 1e-6:
                continue
            due_s = max(due_s + 1 / self.fps, seconds) if self.fps else due_s
            at, flaw = opened_at + seconds, "" if picture is not None else DAMAGED
            image = b"" if picture is None else _image(picture)
            yield Frame(self.name, number, image, at, time.monotonic(), flaw=flaw)
            number, undamaged = number + 1, undamaged + (not flaw)
        if not undamaged:
            raise SourceError(f"{self.name}: no picture can be decoded; copy or convert it again")


def video_file(path: str, *, fps: float | None = None) -> Video:
    """Return a video file as a source. Raise SourceError if PyAV is missing."""
    _require_pyav(path)
    return Video(path, path, live=False, fps=fps)


def network_camera(url: str, *, timeout_s: float) -> Video:
    """Return an http:// or rtsp:// stream as a camera. Raise SourceError if PyAV is missing."""
    name = shown_address(url)
    _require_pyav(name)
    # Over UDP, lost packets distort the picture. TCP sends them again or fails.
    options = {**FRESH, "rtsp_transport": "tcp"} if url.startswith("rtsp") else FRESH
    return Video(name, url, live=True, options=(options,), timeout_s=(OPEN_TIMEOUT_S, timeout_s))


def v4l2_camera(text: str) -> Video:
    """Return a USB or other V4L2 camera as a source.

    Args:
        text: `/dev/videoN` or N, with settings such as `?size=640x480&fps=30`.

    Raises:
        SourceError: a setting is invalid, or PyAV is missing.

    """
    device, pairs = split_query(text, ("size", "fps"))
    _require_pyav(text)
    settings = {"video_size": "640x480", "framerate": "30"}
    for key, value in pairs:
        if key == "size":
            settings["video_size"] = "{}x{}".format(*size(text, value))
        else:
            settings["framerate"] = f"{number(text, value):g}"
    # JPEG first: it is decoded at the scale that the model needs, and USB is fast enough for it at the full frame rate.
    options: tuple[dict[str, str], ...] = ({**settings, "input_format": "mjpeg"}, settings, {})
    url = f"/dev/video{device}" if device.isdecimal() else device
    return Video(text, url, live=True, container_format="v4l2", options=options)


def _image(picture: Any) -> Any:  # noqa: ANN401 - a packet's bytes, or PyAV's frame
    """Return a picture in a form that `Frame.image` accepts: JPEG bytes, or upright RGB pixels."""
    if isinstance(picture, bytes):
        return picture
    pixels = picture.to_ndarray(format="rgb24")
    turns = round(picture.rotation / 90) % 4  # a phone stores how it was held
    if not turns:
        return pixels
    import numpy as np

    return np.rot90(pixels, turns)


def _require_pyav(name: str) -> None:
    if find_spec("av") is None:
        raise SourceError(f"{name}: videos and cameras need PyAV; install it with: pip install 'edgewise[camera]'")
