"""Turn an image into model input. The trainer, the export and the device all call this module and no other.

Decoding, orientation and resizing are done by Pillow, with identical bits on Arm and on x86-64.
"""

from __future__ import annotations

import io
import math
import warnings
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeAlias, cast

import numpy as np
from PIL import Image, UnidentifiedImageError

from edge_runtime.errors import SourceError
from edge_runtime.image.formats import FORMATS as FORMATS  # noqa: PLC0414 - other modules import it from here
from edge_runtime.image.formats import formats_of
from edge_runtime.image.limits import FILE, CountedReads, LimitError, check_coded_pixels, check_jpeg, check_memory
from edge_runtime.image.upright import UPRIGHT, orientation, scale_key, upright_rgb, upright_size

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

    from edge_runtime.image.limits import Limits
    from edge_runtime.image.upright import Mount
    from edge_runtime.model.spec import ModelSpec

    Pixels: TypeAlias = NDArray[np.uint8]
    ImageSource: TypeAlias = str | os.PathLike[str] | bytes | Image.Image | Pixels

SCALED_BY_DECODER = frozenset({"JPEG", "MPO"})
PAD_VALUE = 128  # mid-grey: near zero once a model scales pixels to -1..1
# First reduce by whole factors with a box filter, then bilinear: half the time of one bilinear pass.
REDUCING_GAP = 1.0

# Pillow warns of images that the limits allow.
warnings.simplefilter("ignore", Image.DecompressionBombWarning)

Box: TypeAlias = tuple[float, float, float, float]
Roi: TypeAlias = tuple[int, int, int, int]  # x, y, width and height in pixels of the upright image
Size: TypeAlias = tuple[int, int]


def preprocess(source: ImageSource, spec: ModelSpec) -> Pixels:
    """Turn an image into one model input.

    Args:
        source: a path, an encoded image as bytes, a PIL image, or RGB pixels as uint8 of shape (h, w, 3).
        spec: the model's input size and resize mode.

    Returns:
        Pixels, uint8 of shape (spec.height, spec.width, spec.channels), values 0..255; RGB, or grey by ITU-R BT.601.

    Raises:
        SourceError: the image cannot be read; the message names it.

    """
    return to_input(load_image(source, spec), spec)


def load_image(
    source: ImageSource,
    spec: ModelSpec | None,
    roi: Roi | None = None,
    *,
    mount: Mount = UPRIGHT,
    limits: Limits = FILE,
) -> Image.Image:
    """Decode an image upright and in RGB; a JPEG at the smallest scale that `spec` allows, which is many times faster.

    Without a spec, an image is decoded at its own scale.

    Transparent pixels are blended with white, 16-bit grey is scaled to 8 bits, of an animation the first frame is
    returned. The image is turned as `mount` requires. With `roi`, only that region of the turned image is returned, as
    far as it is inside. Raise SourceError for an unreadable image, or one that exceeds the limits, which are checked
    before it is decoded; TypeError or ValueError for an array of another form.
    """
    if isinstance(source, np.ndarray):
        return _cut(mount.turn(_from_array(source)), roi)
    if isinstance(source, Image.Image):
        return _cut(mount.turn(upright_rgb(source)), roi)
    name = "image bytes" if isinstance(source, bytes) else str(source)
    try:
        with io.BytesIO(source) if isinstance(source, bytes) else _opened(Path(source)) as file:
            return _decode(file, spec, roi, mount, limits)
    except FileNotFoundError:
        raise SourceError(f"{name}: no such file") from None
    except SourceError as problem:
        raise type(problem)(str(problem) if isinstance(source, bytes) else f"{name}: {problem}") from None
    except Image.DecompressionBombError:
        raise LimitError(f"{name}: too many pixels to decode; reduce the image first") from None
    except UnidentifiedImageError:
        raise SourceError(f"{name}: {_why_unidentified(source)}") from None
    except (OSError, ValueError, SyntaxError, EOFError, OverflowError, MemoryError) as problem:
        raise SourceError(f"{name}: damaged or incomplete image ({problem}); replace it") from None


def _opened(path: Path) -> IO[bytes]:
    if path.exists() and not path.is_file():
        raise SourceError("not a regular file")  # opening a pipe would block for ever
    return path.open("rb")


def _decode(file: IO[bytes], spec: ModelSpec | None, roi: Roi | None, mount: Mount, limits: Limits) -> Image.Image:
    walk = check_jpeg(file, limits)
    with Image.open(cast("IO[bytes]", CountedReads(file)), formats=formats_of(file)) as image:
        check_coded_pixels(image.size, limits)
        scale_key(image)
        if image.format not in SCALED_BY_DECODER:  # Pillow decodes such an image to find its orientation
            check_memory(image, None, limits)
        size = mount.size(upright_size(image))
        if spec is not None:
            _draft(image, spec, roi, size)
        check_memory(image, walk, limits, is_turned=orientation(image) != 1)
        return _cut(mount.turn(upright_rgb(image)), roi, size)


def to_input(image: Image.Image, spec: ModelSpec) -> Pixels:
    """Resize an upright RGB image to the model's input: uint8 of shape (spec.height, spec.width, spec.channels)."""
    target = (spec.width, spec.height)
    if spec.resize == "pad":
        pixels = _padded(image, target)
    else:
        pixels = np.asarray(_resized(image, target, _region(image.size, spec)))
    return pixels if spec.color == "RGB" else grey(pixels)


def image_of(pixels: Pixels) -> Image.Image:
    """Return pixels, uint8 of shape (h, w, 3) or (h, w, 1), as an image."""
    return Image.fromarray(pixels if pixels.shape[2] > 1 else pixels[..., 0])


def grey(pixels: Pixels) -> Pixels:
    """Return the luma of RGB pixels, uint8 of shape (h, w, 3), as uint8 of shape (h, w, 1).

    grey = (19595 * red + 38470 * green + 7471 * blue + 32768) // 65536, the integer form of ITU-R BT.601's
    0.299 R + 0.587 G + 0.114 B that Pillow uses for its mode L. Pixels that are grey already keep their value.
    """
    return np.asarray(Image.fromarray(pixels).convert("L"))[..., np.newaxis]


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


def _draft(image: Image.Image, spec: ModelSpec, roi: Roi | None, size: Size) -> None:
    """Ask the JPEG decoder to scale by 1/2, 1/4 or 1/8 if that still keeps every pixel that the input needs.

    The region of interest and `size`, width and height, are those of the upright image.
    """
    if image.format not in SCALED_BY_DECODER:
        return
    width, height = size
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
