"""The image formats that are read, and what to install for those that Pillow does not always support."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from typing import IO, TYPE_CHECKING

from edge_runtime.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path

# WebP last: Pillow imports all its plugins only when it reaches a format that is not loaded yet. A camera's MPO is
# opened as JPEG; it has no name of its own here.
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP")
# The brands in the first box of a file (ISO 14496-12, 4.3), in the order in which they decide.
AVIF_BRANDS = (b"avif", b"avis")
HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
BOX_HEADER_BYTES, MOST_BOX_BYTES, BRAND_BYTES = 8, 256, 4


def formats_of(file: IO[bytes]) -> tuple[str, ...]:
    """Return the formats with which Pillow may open a file, and seek back to its start.

    Raises:
        SourceError: it is a HEIC or AVIF image, and the library that reads it is not installed.

    """
    start = file.read(MOST_BOX_BYTES)
    file.seek(0)
    brands = _brands(start)
    if any(brand in brands for brand in AVIF_BRANDS):
        return _avif()
    return _heif() if any(brand in brands for brand in HEIF_BRANDS) else FORMATS


def is_image(path: Path) -> bool:
    """Return whether a file begins like an image of one of the formats, whatever its extension is."""
    from PIL import Image

    try:
        with path.open("rb") as file, Image.open(file, formats=formats_of(file)):
            return True
    except SourceError:  # HEIC or AVIF, without its library
        return True
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return False


def _brands(start: bytes) -> list[bytes]:
    """Return the brands of an ISO media file, none of another."""
    if start[4:BOX_HEADER_BYTES] != b"ftyp":
        return []
    box = start[BOX_HEADER_BYTES : int.from_bytes(start[:4], "big")]
    return [box[at : at + BRAND_BYTES] for at in range(0, len(box), BRAND_BYTES)]


def _avif() -> tuple[str, ...]:
    with suppress(ImportError):
        if import_module("PIL.AvifImagePlugin").SUPPORTED:
            return ("AVIF",)
    raise SourceError("an AVIF image, which needs Pillow 11.3 or later: pip install --upgrade pillow")


def _heif() -> tuple[str, ...]:
    if find_spec("pillow_heif") is None:
        raise SourceError("a HEIC image, which needs pillow-heif: pip install 'edgewise[heif]'; or convert it to JPEG")
    import_module("pillow_heif").register_heif_opener(thumbnails=False)
    return ("HEIF",)
