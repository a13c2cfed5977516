"""Check the paths of `classify` for what is no image but has a command of its own: addresses and videos."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.command_line.runner import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

# A file with one of these endings is read as an image without another look.
USUAL_IMAGES = (".jpg", ".jpeg", ".png")
PEEKED_BYTES = 512


def check_paths(paths: Sequence[str], bundle: str) -> None:
    """Check what the arguments name; files in folders and those that patterns match are not looked at.

    Args:
        paths: as the user wrote them.
        bundle: the bundle, for the command to use instead.

    Raises:
        UsageError: an address, a video, or `-` with binary data on standard input.

    """
    for path in paths:
        if "://" in path:
            raise UsageError(f"{path}: an address, not an image", _watch(bundle, path))
        if path == "-" and _is_binary_input():
            raise UsageError(
                "standard input contains binary data; - reads one path per line, so name the file instead",
                f"edge-run classify {bundle} photo.jpg",
            )
        if not path.lower().endswith(USUAL_IMAGES) and Path(path).is_file() and _is_video(path):
            raise UsageError(f"{path}: a video, not an image", _watch(bundle, path))


def _watch(bundle: str, source: str) -> str:
    import shlex

    return shlex.join(["edge-run", "watch", bundle, "--source", source])


def _is_binary_input() -> bool:
    """Return whether standard input begins with binary data. It waits for the first bytes, as reading would."""
    buffer = getattr(sys.stdin, "buffer", None)
    return buffer is not None and b"\0" in buffer.peek(PEEKED_BYTES)[:PEEKED_BYTES]


def _is_video(path: str) -> bool:
    """Return whether a file is a video, judged by PyAV, or by its name where PyAV is not installed."""
    from edge_runtime.image.formats import is_image

    if is_image(Path(path)):
        return False
    try:
        import av
    except ImportError:
        from mimetypes import guess_type

        return str(guess_type(path)[0]).startswith("video/")
    try:
        with av.open(path) as container:
            return bool(container.streams.video) and container.format.name != "image2"
    except (av.error.FFmpegError, OSError, ValueError):
        return False
