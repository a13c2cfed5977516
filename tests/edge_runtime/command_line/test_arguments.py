"""Arguments of `classify` that are no images but have a command of their own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


def test_a_video_given_to_classify_is_for_watch(bundle, edge_run, tmp_path):
    av = pytest.importorskip("av")
    path = tmp_path / "clip.bin"
    with av.open(str(path), "w", format="avi") as container:
        stream = container.add_stream("mjpeg", rate=5, options={"strict": "unofficial"})
        stream.width, stream.height, stream.pix_fmt = 32, 24, "yuvj420p"
        for packet in [*stream.encode(av.VideoFrame(32, 24, "yuvj420p")), *stream.encode()]:
            container.mux(packet)
    code, out, err = edge_run("classify", bundle, path)
    assert (code, out, len(err)) == (2, [], 2)
    assert f"{path}: a video, not an image" in err[0]
    assert f"edge-run watch {bundle} --source {path}" in err[1]


def test_a_text_file_given_to_classify_is_an_unreadable_image(bundle, edge_run, tmp_path):
    (tmp_path / "notes.txt").write_text("text")
    code, out, err = edge_run("classify", bundle, tmp_path / "notes.txt")
    assert (code, out, len(err)) == (1, [], 1)


def run_with_input(bundle, content):
    words = [sys.executable, "-m", "edge_runtime.cli", "classify", bundle, "-"]
    return subprocess.run(words, input=content, capture_output=True, check=False)


def test_an_image_on_standard_input_is_not_a_list_of_paths(bundle, photo):
    done = run_with_input(bundle, photo("red", "a.png").read_bytes())
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"standard input contains binary data" in done.stderr
    assert b"edge-run classify" in done.stderr.splitlines()[1]


def test_binary_data_later_on_standard_input_is_one_line(bundle, photo):
    path = str(photo("red", "a.png")).encode()
    done = run_with_input(bundle, path + b"\n" * 600 + b"\x00\xff\xfe")
    assert (done.returncode, len(done.stdout.splitlines()), len(done.stderr.splitlines())) == (1, 1, 1)
    assert b"binary data" in done.stderr


def test_a_name_on_standard_input_need_not_be_utf8(bundle, photo, tmp_path):
    path = photo("red", "a.png").rename(tmp_path / os.fsdecode(b"caf\xe9.png"))
    done = run_with_input(bundle, os.fsencode(path) + b"\n")
    assert (done.returncode, done.stderr) == (0, b"")
