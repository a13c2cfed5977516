"""Arguments that name something of another kind than the command needs, in all three commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

import edge_runtime.cli
import export.cli
import trainer.cli

MAINS = {"edge-run": edge_runtime.cli.main, "edge-export": export.cli.main, "edge-train": trainer.cli.main}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Make a folder with one thing of each kind, and work in it."""
    for name in ("bundle", "run", "unfinished/training", "photos/cat", "saved", "empty"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("bundle/manifest.json", "run/spec.json", "unfinished/training/job.json"):
        (tmp_path / name).write_text(json.dumps({}))
    for name in (
        "bundle/model.int8.tflite",
        "saved/saved_model.pb",
        "model.keras",
        "model.onnx",
        "labels.txt",
        "a.jpg",
        "photos/cat/1.jpg",
    ):
        (tmp_path / name).write_bytes(b"content")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("given", "wrong", "instead"),
    [
        ("edge-run classify a.jpg bundle", "swapped", "edge-run classify bundle a.jpg"),
        ("edge-run classify photos bundle --json", "swapped", "edge-run classify bundle photos --json"),
        ("edge-run watch 0 --source bundle", "swapped", "edge-run watch bundle --source 0"),
        ("edge-run tune-decision v.mp4 ./bundle/ --labels x", "swapped", "tune-decision ./bundle/ v.mp4 --labels x"),
        ("edge-run classify run a.jpg", "a RUN", "edge-export export run --out bundle"),
        ("edge-run bench unfinished", "a RUN", "edge-export export unfinished --out bundle"),
        ("edge-run inspect model.keras", "a Keras model", "edge-export export model.keras --labels"),
        ("edge-run inspect saved", "a Keras model", "edge-export export saved --labels"),
        ("edge-run inspect model.onnx", "a model's file", "edge-export wrap model.onnx --labels"),
        ("edge-run classify a.jpg a.jpg", "a file", "edge-run classify bundle photos/"),
        (
            "edge-run classify bundle/model.int8.tflite a.jpg",
            "a file of the BUNDLE bundle",
            "edge-run classify bundle a.jpg --artifact int8.tflite",
        ),
        ("edge-run classify rtsp://cam/1 a.jpg", "an address", "edge-run watch bundle --source rtsp://cam/1"),
        ("edge-run classify bundle http://cam/1", "an address", "edge-run watch bundle --source http://cam/1"),
        ("edge-run inspect bundle --artifact int8", "unknown option --artifact", "edge-run inspect bundle"),
        ("edge-run selftest bundle --artifact int8", "int8.tflite or int8.onnx", "--artifact int8.tflite"),
        ("edge-run classify bundle a.jpg --artifact=model.int8.onnx", "a file", "bundle a.jpg --artifact=int8.onnx"),
        ("edge-run serve bundle --source 0 --artifact bundle/model.float16.tflite", "", "--artifact float16.tflite"),
        ("edge-export export bundle --out new", "a BUNDLE", "edge-run inspect bundle"),
        ("edge-export export photos --out new", "a folder", "edge-train train photos --out run"),
        ("edge-export export new --out run", "swapped", "edge-export export run --out new"),
        ("edge-export export model.onnx --out new", "a model's file", "edge-export wrap model.onnx"),
        ("edge-export verify run", "a RUN", "edge-export export run --out bundle"),
        ("edge-export wrap run --labels labels.txt --out new", "a RUN", "edge-export export run --out bundle"),
        ("edge-export wrap labels.txt --labels model.onnx --out b", "swapped", "wrap model.onnx --labels labels.txt"),
        ("edge-export wrap https://x.org/m.tflite --labels labels.txt --out b", "an address", "edge-export wrap"),
        ("edge-export wrap model.onnx --labels https://x.org/l.txt --out b", "an address", "edge-export wrap"),
        ("edge-train train run --out new", "a RUN", "edge-train evaluate run"),
        ("edge-train explore bundle", "a BUNDLE", "edge-run inspect bundle"),
        ("edge-train train https://x.org/photos.zip --out new", "an address", "edge-train train"),
        ("edge-train evaluate bundle", "a BUNDLE", "edge-export verify bundle"),
        ("edge-train evaluate photos", "a folder", "edge-train train photos --out run"),
        ("edge-train evaluate run --data run", "a RUN", "edge-train evaluate run"),
        ("edge-train describe bundle", "a BUNDLE", "edge-run inspect bundle"),
        ("edge-train train --resume bundle", "a BUNDLE", "edge-export verify bundle"),
        ("edge-run photos bundle", "a file or folder", "edge-run classify photos bundle"),
        ("edge-run export run --out b", "a command of edge-export", "edge-export export run --out b"),
        ("edge-export trian photos", "unknown command 'trian'", "edge-export export"),
        ("edge-train classify bundle a.jpg", "a command of edge-run", "edge-run classify bundle a.jpg"),
        ("edge-train evalute run", "did you mean evaluate?", "edge-train evaluate run"),
        ("edge-train --seed 3 train photos --out r", "before the command", "edge-train train photos --out r --seed 3"),
        ("edge-run --artifact int8.tflite classify b x", "before", "edge-run classify b x --artifact int8.tflite"),
        ("edge-export --overwrite", "a command is missing", "edge-export export run --out bundle"),
        ("edge-train train photos --oot run", "did you mean --out?", "edge-train train photos --out run"),
        ("edge-run watch bundle --sorce 0", "did you mean --source?", "edge-run watch bundle --source 0"),
        ("edge-run watch bundle 0", "--source missing", "edge-run watch bundle --source 0"),
        ("edge-run inspect bundle other", "unexpected argument 'other'", "edge-run inspect bundle"),
    ],
)
def test_a_usage_error_is_two_lines_with_the_command_to_use(place, capsys, given, wrong, instead):
    program, *words = given.split()
    assert MAINS[program](words) == 2
    out, err = capsys.readouterr()
    first, second = err.splitlines()
    assert out == ""
    assert first.startswith(program)
    assert wrong in first
    assert instead in second


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
