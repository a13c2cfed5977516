"""Receive an uploaded image: limited in bytes, seconds and pixels, and never written to disk."""

from __future__ import annotations

import asyncio
import io
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect

from edge_runtime.errors import SourceError

if TYPE_CHECKING:
    from starlette.requests import Request

MOST_BYTES = 20_000_000
BODY_S = 20.0
MOST_PIXELS = 16_000_000  # decoded completely: 48 MB
MOST_JPEG_PIXELS = 64_000_000  # decoded at the scale that the model needs
TEXT_BYTES = 4096


class UploadError(SourceError):
    """A body that is refused.

    Attributes:
        status: the HTTP status of the response.

    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


async def read_body(request: Request, *, most_bytes: int = MOST_BYTES, within_s: float = BODY_S) -> bytes:
    """Read a request's body into memory. Raise UploadError as soon as a limit is exceeded."""
    declared = request.headers.get("content-length", "0")
    if not declared.isdigit() or int(declared[:20]) > most_bytes:
        raise UploadError(413, f"more than {most_bytes} bytes; reduce the image first")
    try:
        return await asyncio.wait_for(_collect(request, most_bytes), within_s)
    except ClientDisconnect:
        raise UploadError(400, "the connection ended before the body was complete") from None
    except asyncio.TimeoutError:
        raise UploadError(408, f"was not received within {within_s:g} s") from None


async def _collect(request: Request, most_bytes: int) -> bytes:
    body = bytearray()
    async for block in request.stream():
        body += block
        if len(body) > most_bytes:
            raise UploadError(413, f"more than {most_bytes} bytes; reduce the image first")
    return bytes(body)


def check_pixels(content: bytes) -> None:
    """Read only an image's header and raise UploadError unless it is cheap enough to decode."""
    from PIL import Image, UnidentifiedImageError

    from edge_runtime.image.preprocess import FORMATS

    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            pixels = image.size[0] * image.size[1]
            most = MOST_JPEG_PIXELS if image.format in {"JPEG", "MPO"} else MOST_PIXELS
    except UnidentifiedImageError:
        raise UploadError(415, "not a JPEG, PNG, BMP, GIF or WebP image") from None
    except Image.DecompressionBombError:
        raise UploadError(413, "too many pixels to decode; reduce the image first") from None
    except Exception as problem:  # noqa: BLE001 - what a hostile header can make Pillow raise has no common base
        raise UploadError(422, f"damaged image ({problem})") from None
    if pixels > most:
        raise UploadError(
            413, f"{pixels} pixels, over the limit of {most // 1_000_000} million; reduce the image first"
        )
