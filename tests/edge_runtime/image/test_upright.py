"""Upright RGB: transparent colours become white, and a camera that is not mounted upright is turned."""

from __future__ import annotations

import struct
import sys
import zlib
from importlib.util import find_spec

import numpy as np
import pytest
from PIL import Image, features

from edge_runtime.errors import SourceError
from edge_runtime.image.files import image_files
from edge_runtime.image.preprocess import load_image
from edge_runtime.image.upright import Mount


def png_with_key(depth, color_type, row, key):
    """Return a PNG of one row whose tRNS chunk contains a transparent colour."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    pixels = 8 * len(row) // depth // (3 if color_type == 2 else 1)
    header = struct.pack(">IIBBBBB", pixels, 1, depth, color_type, 0, 0, 0)
    body = chunk(b"tRNS", struct.pack(f">{len(key)}H", *key)) + chunk(b"IDAT", zlib.compress(b"\0" + row))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + body + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("depth", "color_type", "row", "key", "expected"),
    [
        (1, 0, bytes([0b01000000]), (0,), [255] * 8),
        (1, 0, bytes([0b01000000]), (1,), [0, 255, 0, 0, 0, 0, 0, 0]),
        (2, 0, bytes([0b00011011]), (1,), [0, 255, 170, 255]),
        (4, 0, bytes([0x0F, 0x5A]), (5,), [0, 255, 255, 170]),
        (8, 0, bytes([0, 85, 170, 255]), (170,), [0, 85, 255, 255]),
        (16, 0, struct.pack(">3H", 0, 300, 257 * 9), (300,), [0, 255, 9]),
        (8, 2, bytes([0, 0, 0, 10, 20, 30]), (0, 0, 0), [255, 10]),
        (8, 2, bytes([0, 0, 0, 10, 20, 30]), (10, 20, 31), [0, 10]),
        (16, 2, struct.pack(">6H", 257, 257, 257, 2570, 2570, 2570), (257, 257, 257), [255, 10]),
    ],
    ids=str,
)
def test_the_transparent_colour_of_a_png_is_white(spec, depth, color_type, row, key, expected):
    image = load_image(png_with_key(depth, color_type, row, key), spec)
    assert [pixel[0] for pixel in np.asarray(image)[0]] == expected


def quarters(size=(40, 20)):
    """Return an image with another colour in each quarter: red, green; blue, white."""
    image = Image.new("RGB", (2, 2))
    image.putdata([(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)])
    return image.resize(size, Image.Resampling.NEAREST)


def corners(image):
    """Return the names of the colours at the corners, row by row."""
    names = {(255, 0, 0): "red", (0, 255, 0): "green", (0, 0, 255): "blue", (255, 255, 255): "white"}
    right, bottom = image.width - 1, image.height - 1
    return [names[image.getpixel(at)] for at in ((0, 0), (right, 0), (0, bottom), (right, bottom))]


@pytest.mark.parametrize(
    ("mount", "expected"),
    [
        (Mount(), ["red", "green", "blue", "white"]),
        (Mount(90), ["blue", "red", "white", "green"]),  # clockwise
        (Mount(180), ["white", "blue", "green", "red"]),
        (Mount(270), ["green", "white", "red", "blue"]),
        (Mount(flip="horizontal"), ["green", "red", "white", "blue"]),
        (Mount(flip="vertical"), ["blue", "white", "red", "green"]),
        (Mount(90, "horizontal"), ["red", "blue", "green", "white"]),  # first rotated, then mirrored
    ],
    ids=str,
)
@pytest.mark.parametrize("form", ["png", "pixels", "image", "turned by exif"])
def test_a_camera_that_is_not_mounted_upright_is_turned(spec, tmp_path, mount, expected, form):
    image, path = quarters(), tmp_path / "picture.png"
    source = {"pixels": np.asarray(image), "image": image}.get(form, path)
    exif = Image.Exif()
    if form == "turned by exif":  # stored turned counter-clockwise: to be turned clockwise before the mount
        image, exif[0x0112] = image.transpose(Image.Transpose.ROTATE_90), 6
    image.save(path, exif=exif)
    turned = load_image(source, spec, mount=mount)
    assert corners(turned) == expected
    assert turned.size == ((20, 40) if mount.rotate in {90, 270} else (40, 20))


def test_the_region_of_interest_is_that_of_the_turned_picture(make_spec, tmp_path):
    path = tmp_path / "picture.jpg"
    quarters((1600, 800)).save(path, quality=95, subsampling=0)
    region = load_image(path, make_spec(), (0, 800, 400, 800), mount=Mount(90))  # lower left: white
    assert region.size[0] * 2 == region.size[1]
    assert region.getpixel((5, 5))[:2] == pytest.approx((255, 255), abs=4)
    with pytest.raises(SourceError, match="is outside of the 800x1600 picture"):
        load_image(path, make_spec(), (800, 0, 10, 10), mount=Mount(270))


def test_avif_is_read_or_what_to_install_is_named(spec, tmp_path, monkeypatch):
    path = tmp_path / "photo.avif"
    if features.check("avif"):
        quarters((64, 48)).save(path, quality=100, speed=10)
        assert load_image(path, spec).getpixel((5, 5)) == pytest.approx((255, 0, 0), abs=8)
    path.write_bytes(b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf" + bytes(50))
    if find_spec("PIL.AvifImagePlugin"):
        monkeypatch.setattr("PIL.AvifImagePlugin.SUPPORTED", False)
    with pytest.raises(
        SourceError, match=r"photo\.avif: an AVIF image, which needs Pillow 11\.3 or later: pip install"
    ):
        load_image(path, spec)


@pytest.mark.parametrize("brands", [b"heic\0\0\0\0mif1heic", b"mif1\0\0\0\0mif1heicmiaf", b"hevc\0\0\0\0hevcheic"])
def test_a_heic_image_without_its_library_names_what_to_install(spec, tmp_path, monkeypatch, brands):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    path = tmp_path / "IMG_0001.HEIC"
    path.write_bytes(struct.pack(">I", 8 + len(brands)) + b"ftyp" + brands + bytes(100))
    with pytest.raises(
        SourceError, match=r"IMG_0001\.HEIC: a HEIC image, which needs pillow-heif: pip install 'edgewise"
    ):
        load_image(path, spec)
    assert list(image_files(str(tmp_path))) == [str(path)]  # not passed over without a word


def test_a_heic_image_is_read_with_its_library(spec, tmp_path):
    pytest.importorskip("pillow_heif").register_heif_opener()
    path = tmp_path / "photo.heic"
    quarters((64, 48)).save(path, "HEIF", quality=95)
    assert load_image(path, spec).getpixel((5, 5)) == pytest.approx((255, 0, 0), abs=12)
