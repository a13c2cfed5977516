"""Uploaded images: received in memory, with limits on bytes, seconds and pixels."""

from __future__ import annotations

import asyncio
import io
from typing import IO, TYPE_CHECKING, cast

from starlette.requests import ClientDisconnect

from edge_runtime.errors import SourceError
from edge_runtime.image.formats import formats_of
from edge_runtime.image.limits import STREAM, CountedReads, LimitError, check_jpeg

if TYPE_CHECKING:
    from starlette.requests import Request

MAX_BYTES = 20_000_000
MAX_BODY_S = 20.0
MAX_PIXELS = 16_000_000  # 48 MB when decoded
MAX_JPEG_PIXELS = 64_000_000  # a JPEG is decoded at a reduced scale, close to the model's input size


class UploadError(SourceError):
    """The server refuses a request's body.

    Attributes:
        status: the HTTP status of the response.

    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


async def read_body(request: Request, *, max_bytes: int = MAX_BYTES, timeout_s: float = MAX_BODY_S) -> bytes:
    """Read a request's body into memory.

    Args:
        request: the request.
        max_bytes: maximum size of the body.
        timeout_s: maximum time for receiving it, in seconds.

    Raises:
        UploadError: a limit is exceeded, or the connection ended early.

    """
    declared = request.headers.get("content-length", "0")
    if not (declared.isascii() and declared.isdecimal()) or int(declared[:20]) > max_bytes:
        raise UploadError(413, f"the body has more than {max_bytes} bytes; send a smaller image")
    try:
        return await asyncio.wait_for(_collect(request, max_bytes), timeout_s)
    except ClientDisconnect:
        raise UploadError(400, "the connection ended before the body was complete") from None
    except asyncio.TimeoutError:
        raise UploadError(408, f"the body was not received within {timeout_s:g} s") from None


async def _collect(request: Request, max_bytes: int) -> bytes:
    body = bytearray()
    async for block in request.stream():
        body += block
        if len(body) > max_bytes:
            raise UploadError(413, f"the body has more than {max_bytes} bytes; send a smaller image")
    return bytes(body)


def check_pixels(content: bytes) -> None:
    """Raise UploadError or LimitError if an image has no supported format or too many pixels; read only its header."""
    from PIL import Image, UnidentifiedImageError

    file = io.BytesIO(content)
    check_jpeg(file, STREAM)
    try:
        with Image.open(cast("IO[bytes]", CountedReads(file)), formats=formats_of(file)) as image:
            pixels = image.size[0] * image.size[1]
            limit = MAX_JPEG_PIXELS if image.format in {"JPEG", "MPO"} else MAX_PIXELS
    except LimitError:
        raise
    except SourceError as problem:
        raise UploadError(415, str(problem)) from None
    except UnidentifiedImageError:
        raise UploadError(415, "not a JPEG, PNG, BMP, GIF or WebP image") from None
    except Image.DecompressionBombError:
        raise UploadError(413, "the image has too many pixels; send a smaller image") from None
    except Exception as problem:  # noqa: BLE001 - the exceptions that Pillow raises for a malformed header have no common base class
        raise UploadError(422, f"the image is damaged ({problem})") from None
    if pixels > limit:
        raise UploadError(
            413,
            f"the image has {pixels} pixels; at most {limit // 1_000_000} million are allowed; send a smaller image",
        )
