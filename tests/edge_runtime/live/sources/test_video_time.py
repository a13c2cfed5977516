"""The times of video frames, damaged videos, and videos whose extension says little."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from edge_runtime.errors import SourceError
from edge_runtime.live.sources.images import ImageFiles
from edge_runtime.live.sources.opening import open_source
from edge_runtime.live.sources.timeline import Timeline

TS_PACKET = 188


@pytest.fixture
def video(tmp_path):
    """Return a function that writes a video whose pictures move, at ten frames per second."""

    def write(name="video.ts", count=40, codec="libx264", form=None, first=0):
        path = tmp_path / name
        with av.open(str(path), "w", format=form) as container:
            stream = container.add_stream(codec, rate=10)
            stream.width, stream.height, stream.pix_fmt = 352, 288, "yuv420p"
            stream.gop_size = 10
            rng = np.random.default_rng(0)
            for number in range(count):
                pixels = np.roll(np.tile(rng.integers(0, 256, (1, 352, 3), np.uint8), (288, 1, 1)), number * 4, 1)
                frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
                frame.pts, frame.time_base = number + first, Fraction(1, 10)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return path

    return write


def frames(path, **settings):
    with open_source(str(path), **settings) as source:
        assert not source.live
        return list(source)


def seconds(found):
    return [frame.captured_at - found[0].captured_at for frame in found]


def test_joined_recordings_are_one_video(video):
    path = video()
    path.write_bytes(path.read_bytes() * 3)
    assert seconds(frames(path)) == pytest.approx([number / 10 for number in range(120)], abs=1e-3)
    assert len(frames(path, fps=5)) == 60


def test_recordings_joined_at_a_later_time_are_one_video(video):
    """A jump ahead is no pause in a format whose files may be joined."""
    path, later = video(), video("later.ts", first=500_000)
    path.write_bytes(path.read_bytes() + later.read_bytes())
    assert seconds(frames(path))[-1] == pytest.approx(7.9, abs=0.01)


def test_a_video_that_does_not_begin_at_zero_has_no_date_in_the_future(video):
    path = video(first=400_000)
    assert seconds(frames(path))[-1] == pytest.approx(3.9, abs=0.01)
    assert abs(frames(path)[0].captured_at - path.stat().st_mtime) < 60
    assert len(frames(path, fps=5)) == 20


@pytest.mark.parametrize("name", ["video.h264", "video.264"])
def test_a_stream_without_timestamps_has_the_rate_of_its_headers(video, name):
    path = video(name, form="h264")
    assert seconds(frames(path)) == pytest.approx([number / 10 for number in range(40)], abs=1e-3)
    assert len(frames(path, fps=5)) == 20


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.mts", "libx264"),
        ("a.3gp", "h263"),
        ("a.flv", "flv1"),
        ("a.wmv", "wmv2"),
        ("a.mpeg", "mpeg2video"),
        ("a.h265", "libx265"),
        ("a.unknown", "libx264"),
    ],
)
def test_the_library_decides_what_is_a_video_and_not_its_extension(video, name, codec):
    forms = {"a.mts": "mpegts", "a.unknown": "matroska", "a.h265": "hevc", "a.mpeg": "mpegts"}
    assert len(frames(video(name, codec=codec, form=forms.get(name)))) == 40


def test_an_image_with_an_unusual_extension_is_an_image(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "photo.jpg.part", "JPEG")
    assert isinstance(open_source(str(tmp_path / "photo.jpg.part")), ImageFiles)
    (tmp_path / "notes.txt").write_text("no video")
    with pytest.raises(SourceError, match=r"notes\.txt: cannot be opened"):
        frames(tmp_path / "notes.txt")


def test_a_video_continues_behind_a_lost_packet(video):
    path = video()
    data = path.read_bytes()
    at = len(data) // TS_PACKET // 2 * TS_PACKET
    path.write_bytes(data[:at] + data[at + 3 * TS_PACKET :])
    found = frames(path)
    assert len(found) >= 38
    assert 1 <= sum(bool(frame.flaw) for frame in found) <= 10  # at most until the next complete picture
    assert seconds(found)[-1] == pytest.approx(3.9, abs=0.2)
    assert not found[-1].flaw


def test_a_truncated_video_yields_its_undamaged_frames(video):
    path = video(codec="mpeg2video")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    found = frames(path)
    assert 5 < sum(not frame.flaw for frame in found) < 40


def test_a_video_without_any_undamaged_picture_is_an_error(video):
    path = video()
    data, rng = bytearray(path.read_bytes()), np.random.default_rng(0)
    for at in range(10 * TS_PACKET, len(data), TS_PACKET):
        data[at + 4 : at + TS_PACKET] = rng.bytes(TS_PACKET - 4)
    del data[: 4 * TS_PACKET]
    path.write_bytes(data)
    with pytest.raises(SourceError, match=r"video\.ts: (no picture can be decoded|cannot be opened|contains no video)"):
        frames(path)


def times(timeline, stamps):
    return [round(timeline.seconds(stamp), 3) for stamp in stamps]


def test_a_timeline_never_goes_back_and_keeps_pauses():
    assert times(Timeline(0.1, is_joinable=False), [5.0, 5.1, 5.2]) == [0, 0.1, 0.2]
    assert times(Timeline(0.1, is_joinable=False), [None, None, None]) == [0, 0.1, 0.2]
    assert times(Timeline(0.1, is_joinable=False), [0.0, 60.0, 60.1]) == [0, 60, 60.1]  # a time-lapse has pauses
    assert times(Timeline(0.1, is_joinable=True), [0.0, 95_443.0, 95_443.1]) == [0, 0.1, 0.2]
    assert times(Timeline(0.1, is_joinable=False), [3.0, 3.1, 0.0, 0.1]) == [0, 0.1, 0.2, 0.3]
    assert times(Timeline(0.1, is_joinable=False), [0.0, 0.2, 0.1, 0.3]) == [0, 0.2, 0.2, 0.3]
    assert times(Timeline(0.1, is_joinable=False), [0.0, None, 0.2]) == [0, 0.1, 0.2]
