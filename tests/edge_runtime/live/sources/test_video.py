"""Video files, which the tests write, and V4L2 cameras."""

from __future__ import annotations

import struct
import sys
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from edge_runtime.classify.classifier import Classifier
from edge_runtime.errors import SourceError
from edge_runtime.live.sources.opening import open_source
from edge_runtime.live.sources.video import network_camera

RED, BLUE = (220, 30, 20), (20, 40, 230)
UPRIGHT, TURNED = (
    (1, 0, 0, 0, 1, 0, 0, 0, 16384),
    (0, 1, 0, -1, 0, 0, 0, 0, 16384),
)  # the last number is in 2.30 fixed point


@pytest.fixture
def video(tmp_path):
    """Return a function that writes a video with one frame for each colour."""

    def write(colors, name="video.mp4", codec="libx264", fps=10, size=(64, 48)):
        path = tmp_path / name
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=fps)
            stream.width, stream.height = size
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            for color in colors:
                pixels = np.full((size[1], size[0], 3), color, np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
            container.mux(stream.encode(None))
        return path

    return write


def frames(path, **settings):
    with open_source(str(path), **settings) as source:
        assert not source.live
        return list(source)


def test_all_frames_of_a_video_arrive_in_order_with_their_times(video, bundle):
    yielded = frames(video([RED] * 15 + [BLUE] * 10))
    classifier = Classifier.open(bundle, threads=1)
    labels = [classifier.classify(frame.image).label for frame in yielded]
    assert labels == ["red"] * 15 + ["blue"] * 10
    assert [frame.number for frame in yielded] == list(range(25))
    assert yielded[20].captured_at - yielded[0].captured_at == pytest.approx(2.0)


def test_fps_limits_the_frames_per_second_of_a_video(video):
    path = video([RED] * 30)
    starts = [frame.captured_at for frame in frames(path, fps=5)]
    assert np.diff(starts) == pytest.approx([0.2] * 14)
    assert len(frames(path, fps=4)) == 12  # every 2.5th
    assert len(frames(path, fps=100)) == 30  # no frame is repeated


def test_the_packets_of_a_jpeg_video_are_not_decoded(video, bundle):
    yielded = frames(video([RED] * 5, "video.avi", "mjpeg"))
    assert len(yielded) == 5
    assert all(isinstance(frame.image, bytes) for frame in yielded)
    assert Classifier.open(bundle, threads=1).classify(yielded[0].image).label == "red"


def test_a_video_with_a_rotation_is_turned_upright(video):
    path = video([RED] * 3)
    assert frames(path)[0].image.shape == (48, 64, 3)
    # A phone stores the rotation as the matrix of the track (ISO 14496-12, 8.3.2), after 40 bytes of its header.
    upright, turned = (struct.pack(">9i", *(round(x * 65536) for x in m)) for m in (UPRIGHT, TURNED))
    content = bytearray(path.read_bytes())
    at = content.index(b"tkhd") + 4 + 40
    assert content[at : at + 36] == upright
    content[at : at + 36] = turned
    path.write_bytes(content)
    assert frames(path)[0].image.shape == (64, 48, 3)


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "No such file"), (b"", "cannot be opened"), (b"not a video " * 1000, "cannot be opened")],
)
def test_a_file_that_is_not_a_video_is_an_error_that_says_why(tmp_path, content, message):
    path = tmp_path / "video.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SourceError, match=message):
        frames(path)


def test_a_video_without_its_index_is_an_error(video):
    path = video([RED] * 20)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(SourceError, match=r"video\.mp4: cannot be opened"):
        frames(path)


def test_without_pyav_the_error_names_the_extra_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    for text in ("video.mp4", "0", "/dev/video0", "rtsp://camera/"):
        with pytest.raises(SourceError, match=r"pip install 'edgewise\[camera\]'"):
            open_source(text)


def test_the_name_of_a_source_does_not_contain_the_password():
    camera = network_camera("rtsp://owner:secret@camera:554/live", timeout_s=1)
    assert camera.name == "rtsp://owner:***@camera:554/live"
    assert "secret" in camera.url


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ftp://camera/", "unknown kind of source 'ftp'"),
        ("", "the name of the source is empty"),
        ("simulated:folder?speed=3", "unknown setting 'speed'; the settings are fps"),
        ("simulated:folder?fps=fast", "'fast' is not a number"),
        ("simulated:folder?size=640", "'640' is not a size such as 640x480"),
        ("simulated:folder?form=png", "form must be jpeg or array"),
        ("simulated:folder?shape=10:big", "'big' is not a size"),
        ("/dev/video0?speed=1", "unknown setting 'speed'"),
    ],
)
def test_an_invalid_source_is_an_error_that_says_why(text, message):
    with pytest.raises(SourceError, match=message):
        open_source(text)


def test_an_index_is_a_v4l2_device_and_jpeg_is_requested_first():
    camera = open_source("1?size=1280x720&fps=15")
    assert (camera.live, camera.url, camera.container_format) == (True, "/dev/video1", "v4l2")
    assert camera.options[0] == {"video_size": "1280x720", "framerate": "15", "input_format": "mjpeg"}
    assert camera.options[1:] == ({"video_size": "1280x720", "framerate": "15"}, {})


def test_a_missing_camera_is_an_error():
    with pytest.raises(SourceError, match=r"/dev/video99: cannot be opened: No such file"), open_source("/dev/video99"):
        pass


def test_a_device_is_read_as_a_live_source(bundle):
    """A test device of FFmpeg replaces the V4L2 camera; the same code opens and reads both."""
    device = replace(open_source("0"), url="color=red:size=64x48:rate=200", container_format="lavfi", options=({},))
    with device as source:
        yielded = [frame for frame, _ in zip(source, range(5), strict=False)]
    assert [frame.number for frame in yielded] == [0, 1, 2, 3, 4]
    assert Classifier.open(bundle, threads=1).classify(yielded[0].image).label == "red"


@pytest.mark.skipif(not Path("/dev/video0").exists(), reason="this machine has no camera at /dev/video0")
def test_the_frames_of_a_real_camera_differ():
    with open_source("/dev/video0") as source:
        yielded = [frame for frame, _ in zip(source, range(5), strict=False)]
    assert len({bytes(frame.image) for frame in yielded}) == 5
