"""Turn a decoded image into upright RGB: orientation, transparency, 16-bit grey, and how the camera is mounted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import numpy as np
from PIL import ExifTags, Image

if TYPE_CHECKING:
    Size: TypeAlias = tuple[int, int]

ORIENTATION = ExifTags.Base.Orientation
SIDEWAYS = range(5, 9)  # the EXIF orientations that exchange width and height
WHITE = 255
STRIP_PIXELS = 1_000_000  # converted at a time, which keeps the memory for the copies small
# Pillow scales grey of 2 and 4 bits to 8 bits, but not the transparent colour.
KEY_SCALE = {"L;2": 85, "L;4": 17}
# Clockwise, whereas Pillow's names are counter-clockwise.
TURNS = {90: Image.Transpose.ROTATE_270, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_90}
FLIPS = {"horizontal": Image.Transpose.FLIP_LEFT_RIGHT, "vertical": Image.Transpose.FLIP_TOP_BOTTOM}


class Mount(NamedTuple):
    """How the pictures of a camera that is not mounted upright are turned: first rotated, then mirrored.

    Attributes:
        rotate: degrees clockwise.
        flip: "horizontal" exchanges left and right, "vertical" top and bottom.

    """

    rotate: Literal[0, 90, 180, 270] = 0
    flip: Literal["", "horizontal", "vertical"] = ""

    def size(self, size: Size) -> Size:
        """Return the width and height after turning a picture of this width and height."""
        return size[::-1] if self.rotate in (90, 270) else size

    def turn(self, image: Image.Image) -> Image.Image:
        """Return the turned image."""
        if self.rotate:
            image = image.transpose(TURNS[self.rotate])
        return image.transpose(FLIPS[self.flip]) if self.flip else image


UPRIGHT = Mount()


def orientation(image: Image.Image) -> int:
    """Return the EXIF orientation of an image, 1 to 8. Pillow may decode a PNG for it."""
    value = image.getexif().get(ORIENTATION, 1)
    return value if value in range(1, 9) else 1


def upright_size(image: Image.Image) -> Size:
    """Return the width and height of an image after it is turned upright."""
    return (image.height, image.width) if orientation(image) in SIDEWAYS else image.size


def upright_rgb(image: Image.Image) -> Image.Image:
    """Return an image upright and in RGB, without any transparency: it is blended with white."""
    upright = image if orientation(image) == 1 else _turned(image)
    if upright.mode.startswith("I"):
        upright = _grey_8bit(upright)
    if _has_transparency(upright):
        return _on_white(upright)
    if upright.mode == "RGB":
        upright.load()  # before its file is closed
        return upright
    return upright.convert("RGB")


def _has_transparency(image: Image.Image) -> bool:
    """Return whether an image has an alpha channel or a transparent colour; Pillow's property exists since 10.1."""
    return image.mode in {"LA", "La", "PA", "RGBA", "RGBa"} or "transparency" in image.info


def _turned(image: Image.Image) -> Image.Image:
    from PIL import ImageOps  # imported here, because it imports five more modules, and few images need rotation

    return ImageOps.exif_transpose(image)


def scale_key(image: Image.Image) -> None:
    """Scale the transparent colour of a PNG to 8 bits, as Pillow will scale the pixels; it must not be decoded yet."""
    key, tiles = image.info.get("transparency"), getattr(image, "tile", None)
    if key is None or not tiles:
        return
    arguments = tiles[0][3]  # before version 11, Pillow's tiles have no attributes
    raw = arguments if isinstance(arguments, str) else ""
    if isinstance(key, int) and raw in KEY_SCALE:
        image.info["transparency"] = key * KEY_SCALE[raw]
    elif isinstance(key, tuple) and raw == "RGB;16B":
        image.info["transparency"] = tuple(value >> 8 for value in key)


def _grey_8bit(image: Image.Image) -> Image.Image:
    """Scale 16-bit grey to 8 bits, with white for its transparent level; Pillow would clip it at 255."""
    levels = np.asarray(image, np.uint32)
    grey = (levels.clip(0, 65535) // 257).astype(np.uint8)
    key = image.info.get("transparency")
    if isinstance(key, int):
        grey[levels == key] = WHITE
    return Image.fromarray(grey)


def _on_white(image: Image.Image) -> Image.Image:
    """Blend an image with white, some rows at a time."""
    blended = Image.new("RGB", image.size)
    rows = max(1, STRIP_PIXELS // image.width)
    for top in range(0, image.height, rows):
        box = (0, top, image.width, min(top + rows, image.height))
        strip = image.crop(box).convert("RGBA")
        white = Image.new("RGBA", strip.size, "white")
        blended.paste(Image.alpha_composite(white, strip).convert("RGB"), box)
    return blended
