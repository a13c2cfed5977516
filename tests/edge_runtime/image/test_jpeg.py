"""The walk over a JPEG's segments agrees with decoders on which files are complete."""

from __future__ import annotations

import io
import random
import struct
import time

import numpy as np
import pytest
from PIL import Image

from edge_runtime.image.jpeg import MOST_SCANS, JpegError, JpegWalk, flaw_of_jpeg


@pytest.fixture(scope="module")
def photo():
    return Image.effect_noise((160, 120), 80).convert("RGB")


@pytest.fixture(scope="module")
def complete(photo):
    return jpeg(photo)


def jpeg(image, **settings):
    stream = io.BytesIO()
    image.save(stream, "JPEG", **settings)
    return stream.getvalue()


def segment(marker, content):
    return bytes((0xFF, marker)) + struct.pack(">H", len(content) + 2) + content


def with_segment(data, *segments):
    return data[:2] + b"".join(segments) + data[2:]


@pytest.mark.parametrize(
    "settings",
    [{}, {"progressive": True}, {"quality": 20, "subsampling": 0}, {"restart_marker_rows": 1}, {"optimize": True}],
    ids=str,
)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_every_kind_of_undamaged_jpeg_is_complete(photo, settings, mode):
    assert flaw_of_jpeg(jpeg(photo.convert(mode), **settings)) == ""


@pytest.mark.parametrize(
    "rest",
    [
        b"\x00\x00\r\n",
        bytes(512),
        b"  ",
        b"\xff" * 9,
        b"\xff\xd9",
        b"\x00\xff\xff\xd9",
        b"\x12\x34\x56\x78" * 8,
        b"telemetry \xff\xe1\xff\xda " * 100,
        np.random.default_rng(0).bytes(20_000),
    ],
    ids=range(9),
)
def test_bytes_after_the_end_of_a_complete_image_are_ignored(complete, rest):
    assert flaw_of_jpeg(complete + rest) == ""


def test_a_second_image_behind_the_first_is_ignored(complete):
    """Cameras write a pair of fields, a depth map or a preview there, and it may be cut off."""
    assert flaw_of_jpeg(complete + complete) == ""
    assert flaw_of_jpeg(complete + bytes(10) + complete[:500]) == ""


def test_a_thumbnail_and_markers_within_a_segment_are_not_those_of_the_image(complete, photo):
    thumbnail = jpeg(photo.resize((16, 12)))
    for inside in (b"Exif\0\0" + thumbnail, b"\xff\xda\x12\x34\xff\xa0\xff\xd9", b"\xff" * 40):
        assert flaw_of_jpeg(with_segment(complete, segment(0xE1, inside), segment(0xE9, inside))) == ""
        assert flaw_of_jpeg(with_segment(complete, segment(0xFE, inside))[:-2]) == "no end-of-image marker"


def test_fill_bytes_before_markers_and_bytes_between_headers_are_passed(complete):
    padded = complete[:2] + b"\xff\xff\xff" + segment(0xFE, b"x") + bytes(7) + complete[2:-2] + b"\xff\xff\xd9"
    Image.open(io.BytesIO(padded)).load()
    assert flaw_of_jpeg(padded) == ""


def test_a_jpeg_without_its_end_or_start_is_not_complete(complete):
    assert flaw_of_jpeg(complete[:-2]) == "no end-of-image marker"
    assert flaw_of_jpeg(complete[: len(complete) // 2]) == "no end-of-image marker"
    assert flaw_of_jpeg(complete[2:]) == "no start-of-image marker"
    assert flaw_of_jpeg(b"") == "no end-of-image marker"
    assert flaw_of_jpeg(b"\xff\xd8\xff\xd9") == "no compressed data"


def test_damage_in_the_compressed_data_is_detected_although_pillow_decodes_it(complete):
    for marker in (b"\xff\x01", b"\xff\xd3"):
        damaged = complete[:2000] + marker + complete[2002:]
        Image.open(io.BytesIO(damaged)).load()  # no error
        assert flaw_of_jpeg(damaged).startswith("unexpected marker FF")


def test_compressed_data_that_ends_early_is_detected_behind_unknown_bytes(complete):
    """Noise contains an end-of-image marker by chance, so the bytes in front of it are decoded."""
    cut = complete[: len(complete) // 2] + b"\xff\xd9" + complete[len(complete) // 2 :]
    Image.open(io.BytesIO(cut)).load()  # no error
    assert flaw_of_jpeg(cut) == "its compressed data ends too early"


def test_a_jpeg_whose_second_half_is_noise_is_never_complete(complete):
    half, rng = len(complete) // 2, np.random.default_rng(1)
    assert all(flaw_of_jpeg(complete[:half] + rng.bytes(half)) for _ in range(500))


def test_the_walk_continues_where_it_stopped_when_data_arrives_in_pieces(photo):
    for settings in ({}, {"progressive": True}, {"restart_marker_rows": 1}):
        whole, rng = jpeg(photo, **settings) + b"rest", random.Random(0)
        walk, at = JpegWalk(), 0
        while at < len(whole):
            at += rng.randint(1, 60)
            if walk.advance(bytearray(whole[:at])):
                break
        assert walk.end == len(whole) - len(b"rest")
        assert (walk.width, walk.height, walk.is_multiscan) == (160, 120, "progressive" in settings)


def test_the_end_of_a_scan_is_found_wherever_blocks_of_the_search_end(photo):
    head = jpeg(photo)
    start = head.index(b"\xff\xda") + 14
    for length in (*range(4090, 4100), *range(65_530, 65_545), 2 * 65_536):
        for filler in (b"\x01", b"\xff\x00", b"\x01\xff\x00"):
            scan = (filler * length)[: length - 1] + b"\x00"
            for end in (b"\xff\xd9", b"\xff\xff\xd9"):
                walk = JpegWalk()
                assert walk.advance(bytearray(head[:start] + scan + end + bytes(40)))
                assert walk.end == start + length + len(end)


def test_scans_and_coefficients_are_counted(photo):
    walk = JpegWalk()
    walk.advance(jpeg(photo, progressive=True, subsampling=0))
    assert walk.scans == 10
    assert walk.coefficient_bytes == 160 * 120 * 3 * 2
    assert walk.scanned_blocks > 3 * 20 * 15


def test_too_many_scans_or_segments_are_refused_before_they_are_read(photo):
    base = jpeg(photo, progressive=True)
    last = base[base.rindex(b"\xff\xda") : -2]
    with pytest.raises(JpegError, match=f"more than {MOST_SCANS} scans"):
        JpegWalk().advance(base[:-2] + last * MOST_SCANS + base[-2:])
    with pytest.raises(JpegError, match="more than 10000 segments"):
        JpegWalk().advance(b"\xff\xd8" + segment(0xFE, b"") * 20_000)


def test_the_time_of_the_walk_grows_with_the_size_only():
    """Runs of bytes that look like the start of a marker are the worst case of a careless search."""
    head = jpeg(Image.new("RGB", (8, 8)))[:-2]
    began = time.perf_counter()
    for filler in (b"\xff", b"\xff\x00", b"\x00\xff\xff"):
        walk, data = JpegWalk(), bytearray(head)
        for _ in range(50):
            data += filler * 20_000
            assert not walk.advance(data)
    assert time.perf_counter() - began < 5
