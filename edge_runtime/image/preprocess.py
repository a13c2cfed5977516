"""Turn an image into model input. The trainer, the export and the device all call this module and no other.

Decoding, orientation and resizing are done by Pillow, with identical bits on Arm and on x86-64.
"""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from edge_runtime.errors import SourceError

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

    from edge_runtime.model.spec import ModelSpec

    Pixels: TypeAlias = NDArray[np.uint8]
    ImageSource: TypeAlias = str | os.PathLike[str] | bytes | Image.Image | Pixels

# WebP last: Pillow imports all its plugins only when it reaches a format that is not loaded yet. A camera's MPO is
# opened as JPEG; it has no name of its own here.
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP")
MAX_DECODED_PIXELS = 64_000_000  # 192 MB as RGB: fits into the memory of a device with 512 MB
PAD_VALUE = 128  # mid-grey: near zero once a model scales pixels to -1..1
# First reduce by whole factors with a box filter, then bilinear: half the time of one bilinear pass.
REDUCING_GAP = 1.0
ORIENTATION = ExifTags.Base.Orientation
SIDEWAYS = range(5, 9)  # the EXIF orientations that exchange width and height

Box: TypeAlias = tuple[float, float, float, float]
Roi: TypeAlias = tuple[int, int, int, int]  # x, y, width and height in pixels of the upright image
Size: TypeAlias = tuple[int, int]


def preprocess(source: ImageSource, spec: ModelSpec) -> Pixels:
    """Turn an image into one model input.

    Args:
        source: a path, an encoded image as bytes, a PIL image, or RGB pixels as uint8 of shape (h, w, 3).
        spec: the model's input size and resize mode.

    Returns:
        RGB pixels, uint8 of shape (spec.height, spec.width, 3), values 0..255.

    Raises:
        SourceError: the image cannot be read; the message names it.

    """
    return to_input(load_image(source, spec), spec)


def load_image(source: ImageSource, spec: ModelSpec, roi: Roi | None = None) -> Image.Image:
    """Decode an image upright and in RGB; a JPEG at the smallest scale that `spec` allows, which is many times faster.

    Transparent pixels are blended with white, 16-bit grey is scaled to 8 bits, of an animation the first frame is
    returned. With `roi`, only that region is returned, as far as it is inside the image. Raise SourceError for an
    unreadable image, TypeError or ValueError for an array of another form.
    """
    if isinstance(source, np.ndarray):
        return _cut(_from_array(source), roi)
    if isinstance(source, Image.Image):
        return _cut(_upright_rgb(source), roi)
    name = "image bytes" if isinstance(source, bytes) else str(source)
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=FORMATS) as image:
            size = _upright_size(image)
            _draft(image, spec, roi)
            _check_size(image, name)
            return _cut(_upright_rgb(image), roi, size)
    except FileNotFoundError:
        raise SourceError(f"{name}: no such file") from None
    except Image.DecompressionBombError:
        raise SourceError(f"{name}: too many pixels to decode; reduce the image first") from None
    except UnidentifiedImageError:
        raise SourceError(f"{name}: {_why_unidentified(source)}") from None
    except (OSError, ValueError, SyntaxError, EOFError, OverflowError, MemoryError) as problem:
        raise SourceError(f"{name}: damaged or incomplete image ({problem}); replace it") from None


def to_input(image: Image.Image, spec: ModelSpec) -> Pixels:
    """Resize an upright RGB image to the model's input: uint8 of shape (spec.height, spec.width, 3)."""
    target = (spec.width, spec.height)
    if spec.resize == "pad":
        return _padded(image, target)
    return np.asarray(_resized(image, target, _region(image.size, spec)))


def _region(size: Size, spec: ModelSpec) -> Box:
    """Return the region of an image of `size` (width, height) that fills the input, as (left, top, right, bottom)."""
    width, height = size
    if spec.resize != "crop":
        return (0, 0, width, height)
    scale = min(width / spec.width, height / spec.height) * spec.crop_fraction
    region_width, region_height = spec.width * scale, spec.height * scale
    left, top = (width - region_width) / 2, (height - region_height) / 2
    return (left, top, left + region_width, top + region_height)


def _resized(image: Image.Image, target: Size, box: Box) -> Image.Image:
    if image.size == target and box == (0, 0, *target):
        return image
    return image.resize(target, Image.Resampling.BILINEAR, box=box, reducing_gap=REDUCING_GAP)


def _padded(image: Image.Image, target: Size) -> Pixels:
    """Resize the complete image to fit into `target`, centred on grey."""
    width, height = image.size
    scale = min(target[0] / width, target[1] / height)
    inner = (min(target[0], max(1, round(width * scale))), min(target[1], max(1, round(height * scale))))
    left, top = (target[0] - inner[0]) // 2, (target[1] - inner[1]) // 2
    pixels = np.full((target[1], target[0], 3), PAD_VALUE, np.uint8)
    pixels[top : top + inner[1], left : left + inner[0]] = np.asarray(_resized(image, inner, (0, 0, width, height)))
    return pixels


def _draft(image: Image.Image, spec: ModelSpec, roi: Roi | None) -> None:
    """Ask the JPEG decoder to scale by 1/2, 1/4 or 1/8 if that still keeps every pixel that the input needs."""
    if image.format not in {"JPEG", "MPO"}:
        return
    width, height = _upright_size(image)
    part = roi[2:] if roi else (width, height)
    left, top, right, bottom = _region(part, spec)
    needed = (
        math.ceil(spec.width * width / (right - left)),
        math.ceil(spec.height * height / (bottom - top)),
    )
    if spec.resize == "pad":
        scale = min(spec.width / part[0], spec.height / part[1])
        needed = (math.ceil(width * scale), math.ceil(height * scale))
    image.draft(None, needed if (width, height) == image.size else needed[::-1])


def _upright_size(image: Image.Image) -> Size:
    sideways = image.getexif().get(ORIENTATION, 1) in SIDEWAYS
    return (image.height, image.width) if sideways else image.size


def _cut(image: Image.Image, roi: Roi | None, size: Size | None = None) -> Image.Image:
    """Crop the region of interest from an image that was decoded at some scale of its `size`."""
    if roi is None:
        return image
    x, y, width, height = roi
    full_width, full_height = size or image.size
    across, down = image.width / full_width, image.height / full_height
    left, right = round(x * across), min(round((x + width) * across), image.width)
    top, bottom = round(y * down), min(round((y + height) * down), image.height)
    if left >= right or top >= bottom:
        raise SourceError(f"region {x},{y},{width},{height} is outside of the {full_width}x{full_height} picture")
    return image.crop((left, top, right, bottom))


def _check_size(image: Image.Image, name: str) -> None:
    width, height = image.size
    if width * height > MAX_DECODED_PIXELS:
        limit = MAX_DECODED_PIXELS // 1_000_000
        raise SourceError(f"{name}: {width}x{height} pixels, over the limit of {limit} million; reduce the image first")


def _upright_rgb(image: Image.Image) -> Image.Image:
    upright = image if image.getexif().get(ORIENTATION, 1) == 1 else _turned(image)
    if upright.mode == "RGB":
        upright.load()  # before its file is closed
        return upright
    if upright.mode.startswith("I"):
        upright = _grey_8bit(upright)
    if upright.has_transparency_data:
        rgba = upright.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return upright.convert("RGB")


def _turned(image: Image.Image) -> Image.Image:
    from PIL import ImageOps  # imported here, because it imports five more modules, and few images need rotation

    return ImageOps.exif_transpose(image)


def _grey_8bit(image: Image.Image) -> Image.Image:
    """Scale 16-bit grey to 8 bits; Pillow's own conversion would clip it at 255."""
    return Image.fromarray((np.asarray(image, np.uint32).clip(0, 65535) // 257).astype(np.uint8))


def _from_array(pixels: Pixels) -> Image.Image:
    channels = 3
    if pixels.dtype != np.uint8:
        raise TypeError(f"pixels must be uint8, not {pixels.dtype}")
    if pixels.ndim != channels or pixels.shape[2] != channels or 0 in pixels.shape:
        raise ValueError(f"pixels must have shape (height, width, 3), not {pixels.shape}")
    return Image.fromarray(np.ascontiguousarray(pixels))


def _why_unidentified(source: str | os.PathLike[str] | bytes) -> str:
    size = len(source) if isinstance(source, bytes) else Path(source).stat().st_size
    if size == 0:
        return "an empty file; replace it"
    return "not a JPEG, PNG, BMP, GIF or WebP image; convert or remove it"
