"""Respond with stored pictures: their bytes, or small copies."""

from __future__ import annotations

import asyncio
import io
from typing import TYPE_CHECKING

from starlette.responses import Response

from edge_runtime.errors import SourceError
from edge_runtime.image.limits import STREAM
from edge_runtime.image.preprocess import load_image
from edge_runtime.model.spec import ModelSpec
from edge_runtime.storage.regular_files import opened_inside, read_descriptor
from edge_runtime.web.labelling.json_body import refused

if TYPE_CHECKING:
    from pathlib import Path

THUMBNAIL_SIDE, THUMBNAIL_QUALITY = 256, 78
MOST_BYTES = 50_000_000
AT_ONCE = 2  # thumbnails; a Pi has four cores, and the model needs some
GONE = "there is no such picture, or it was moved"
# The decoder reduces a JPEG to about this size, as it does for a model.
THUMBNAIL = ModelSpec(THUMBNAIL_SIDE, THUMBNAIL_SIDE, ("one", "two"), "softmax", resize="pad")


class Pictures:
    """Responses with pictures of folders; only AT_ONCE thumbnails are made at the same time."""

    def __init__(self) -> None:
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def thumbnail(self, folder: Path, relative: str) -> Response:
        """Return a small copy of a picture as a response; see `read` for the arguments."""
        async with self._turn:
            try:
                content = await asyncio.to_thread(_thumbnail, folder, relative)
            except SourceError as problem:
                return refused(422, str(problem))
        return refused(404, GONE) if content is None else Response(content, media_type="image/jpeg")

    @staticmethod
    async def whole(folder: Path, relative: str) -> Response:
        """Return a picture as a response, as it is stored; see `read` for the arguments."""
        content = await asyncio.to_thread(read, folder, relative)
        media_type = "image/png" if relative.endswith(".png") else "image/jpeg"
        return refused(404, GONE) if content is None else Response(content, media_type=media_type)


def read(folder: Path, relative: str) -> bytes | None:
    """Return the content of a picture; None if it cannot be read.

    Args:
        folder: the folder.
        relative: the picture's checked path inside the folder.

    """
    try:
        with opened_inside(folder, relative) as descriptor:
            return read_descriptor(descriptor, MOST_BYTES)
    except OSError:
        return None


def _thumbnail(folder: Path, relative: str) -> bytes | None:
    content = read(folder, relative)
    if content is None:
        return None
    image = load_image(content, THUMBNAIL, limits=STREAM)
    image.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=THUMBNAIL_QUALITY)
    return stream.getvalue()
