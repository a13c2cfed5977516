"""Choose the kind of source for the name that the user gives on the command line."""

from __future__ import annotations

import glob
import re
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.errors import SourceError
from edge_runtime.image.files import IMAGE_EXTENSIONS
from edge_runtime.image.formats import is_image
from edge_runtime.system.addresses import shown_address

if TYPE_CHECKING:
    from edge_runtime.live.records import Source

MJPEG_EXTENSIONS = frozenset({".mjpeg", ".mjpg"})  # such a video begins like an image
NETWORK = ("http", "https", "rtsp", "rtsps")
V4L2_DEVICE = re.compile(r"/dev/v(ideo|4l/).*")


def open_source(text: str, *, fps: float | None = None, timeout_s: float = 10.0) -> Source:
    """Return a source; nothing is opened before its `with` block.

    Args:
        text: an image, a folder, a glob pattern, `-` (paths on standard input), a video file, a camera's index or
            `/dev/videoN`, an http:// (MJPEG) or rtsp:// address, `picamera`, or `simulated:FOLDER?fps=30`.
            A camera accepts settings such as `?size=640x480&fps=30`.
        fps: frames to yield per second of a video file; None yields every frame.
        timeout_s: seconds without data after which reading a network stream fails.

    Raises:
        SourceError: the kind of source is unknown, or a library that it needs is not installed.

    """
    if not text:
        raise SourceError(
            "the name of the source is empty; use for example /dev/video0, a folder or rtsp://camera/stream"
        )
    scheme = text.partition(":")[0]
    if scheme == "simulated":
        from edge_runtime.live.sources.simulated import SimulatedCamera

        return SimulatedCamera(text)
    if text.partition("?")[0] == "picamera":
        from edge_runtime.live.sources.picamera import PiCamera

        return PiCamera(text)
    if text.partition("?")[0].isdecimal() or V4L2_DEVICE.fullmatch(text):
        from edge_runtime.live.sources.video import v4l2_camera

        return v4l2_camera(text)
    if "://" in text:
        scheme, _, rest = text.partition("://")
        scheme, text = scheme.lower(), f"{scheme.lower()}://{rest}"
        if scheme not in NETWORK:
            shown = shown_address(text)
            raise SourceError(f"{shown}: unknown kind of source {scheme!r}; use one of {', '.join(NETWORK)}")
        return _network(text, scheme, fps, timeout_s)
    if _is_video(Path(text)):
        from edge_runtime.live.sources.video import video_file

        return video_file(text, fps=fps)
    from edge_runtime.live.sources.images import ImageFiles

    return ImageFiles(text)


def _is_video(path: Path) -> bool:
    """Return whether a name is that of a video: a file that is no image, whatever its extension is."""
    if path.suffix.lower() in IMAGE_EXTENSIONS or not path.suffix or path.is_dir() or glob.has_magic(str(path)):
        return False
    return not path.is_file() or path.suffix.lower() in MJPEG_EXTENSIONS or not is_image(path)


def _network(url: str, scheme: str, fps: float | None, timeout_s: float) -> Source:
    from edge_runtime.live.sources.video import network_camera

    if scheme.startswith("rtsp"):
        return network_camera(url, timeout_s=timeout_s)
    from edge_runtime.live.sources.http_camera import SNAPSHOT_FPS, HttpCamera

    other = network_camera(url, timeout_s=timeout_s) if find_spec("av") else None
    return HttpCamera(shown_address(url), url, timeout_s, fps or SNAPSHOT_FPS, other)
