"""Limits of decoding: pixels, memory and time are computed from the header, and checked before anything is decoded."""

from __future__ import annotations

import io
import struct
import time
import zlib

import pytest
from PIL import Image
from png import plain_png

from edge_runtime.image.limits import FILE, STREAM, LimitError
from edge_runtime.image.preprocess import load_image


def encoded(mode, size, form, **settings):
    stream = io.BytesIO()
    Image.new(mode, size).save(stream, form, **settings)
    return stream.getvalue()


def jpeg_of_size(size, **settings):
    """Return a JPEG whose header contains another size; its compressed data is much too short."""
    data = bytearray(encoded("RGB", (64, 64), "JPEG", **settings))
    at = next(data.index(marker) for marker in (b"\xff\xc0", b"\xff\xc2") if marker in data) + 5
    data[at : at + 4] = struct.pack(">HH", *size[::-1])
    return bytes(data)


def chunk(kind, content=b""):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


PNG = encoded("RGB", (1, 1), "PNG")
PROGRESSIVE = encoded("RGB", (64, 64), "JPEG", progressive=True)
LAST_SCAN = PROGRESSIVE[PROGRESSIVE.rindex(b"\xff\xda") : -2]

BOMBS = {
    "a PNG of many pixels": (lambda: plain_png(13_000, 13_000), "13000x13000 pixels, over the limit of 64 million"),
    "a transparent PNG": (lambda: encoded("RGBA", (6000, 6000), "PNG", compress_level=1), "which need 288 MB"),
    "a progressive JPEG": (lambda: jpeg_of_size((7000, 7000), progressive=True), "7000x7000 pixels, which need 150 MB"),
    "a progressive JPEG with all colours": (
        lambda: jpeg_of_size((5000, 5000), progressive=True, subsampling=0),
        "which need 15[0-9] MB to decode, over the limit of 90 MB; save it as a baseline JPEG",
    ),
    "a JPEG of many pixels": (
        lambda: jpeg_of_size((60_000, 60_000)),
        "60000x60000 pixels, over the limit of 64 million",
    ),
    "a WebP": (lambda: encoded("RGB", (4000, 4000), "WEBP"), "which need 256 MB"),
    "a JPEG of many scans": (lambda: PROGRESSIVE[:-2] + LAST_SCAN * 200 + PROGRESSIVE[-2:], "more than 100 scans"),
    "large scans": (
        lambda: (data := jpeg_of_size((6000, 5000), progressive=True))[:-2] + LAST_SCAN * 85 + data[-2:],
        "its [0-9]+ scans would take too long to decode",
    ),
    "a JPEG of many segments": (lambda: b"\xff\xd8" + b"\xff\xfe\x00\x02" * 100_000, "more than 10000 segments"),
    "a PNG of many chunks": (lambda: PNG[:33] + chunk(b"teXt") * 300_000 + PNG[33:], "too many parts"),
    "a GIF of many comments": (
        lambda: b"GIF89a\x10\0\x10\0\0\0\0" + b"!\xfe\0" * 600_000,
        "too many parts; save it again with another program",
    ),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_refused_before_it_is_decoded(make_spec, bomb):
    make, message = BOMBS[bomb]
    data = make()
    began = time.perf_counter()
    with pytest.raises(LimitError, match=message):
        load_image(data, make_spec(height=64, width=64), limits=STREAM)
    assert time.perf_counter() - began < 10


def test_a_file_is_refused_like_bytes_and_by_its_name(spec, tmp_path):
    path = tmp_path / "big.png"
    path.write_bytes(plain_png(13_000, 13_000))
    with pytest.raises(
        LimitError, match=r"big\.png: 13000x13000 pixels, over the limit of 64 million; reduce the image"
    ):
        load_image(path, spec, limits=FILE)


@pytest.mark.parametrize(
    ("mode", "size", "form", "settings"),
    [
        ("RGB", (5000, 4000), "JPEG", {}),
        ("CMYK", (5000, 4000), "JPEG", {}),
        ("RGB", (4000, 3000), "JPEG", {"progressive": True}),
        ("L", (4000, 3000), "PNG", {}),
        ("RGB", (2300, 2300), "WEBP", {}),
    ],
    ids=str,
)
def test_pictures_of_usual_cameras_are_within_the_limits_of_a_stream(make_spec, mode, size, form, settings):
    data = encoded(mode, size, form, **settings)
    assert load_image(data, make_spec(height=64, width=64), limits=STREAM).mode == "RGB"


def test_transparency_is_blended_in_strips(make_spec):
    image = Image.new("RGBA", (2000, 2000), (0, 0, 0, 0))
    blended = load_image(image, make_spec())
    assert blended.getpixel((1999, 1999)) == (255, 255, 255)
    assert blended.getcolors() == [(4_000_000, (255, 255, 255))]


def test_a_jpeg_whose_scans_all_fit_is_decoded(make_spec):
    data = PROGRESSIVE[:-2] + LAST_SCAN * 3 + PROGRESSIVE[-2:]
    assert load_image(data, make_spec(), limits=STREAM).mode == "RGB"
