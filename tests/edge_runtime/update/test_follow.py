"""A command that runs MODELS/current takes the version to which the link leads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request

import pytest

pytest.importorskip("tuf")


def test_watch_takes_the_new_model_without_a_restart(models, spec, write_bundle, photo, tmp_path):
    versions = tmp_path / "models" / "versions"
    versions.mkdir(parents=True)
    for name in ("one", "two"):
        write_bundle(versions / name, spec, models, default="int8.tflite" if name == "one" else "float32.tflite")
    current = tmp_path / "models" / "current"
    current.symlink_to("versions/one")
    photo("red", name="red/1.png")
    photo("red", name="red/2.png")
    command = [sys.executable, "-m", "edge_runtime.cli", "watch", str(current), "--json"]
    command += ["--source", f"simulated:{tmp_path / 'red'}?fps=20"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline()
        new = tmp_path / "models" / ".new"
        new.symlink_to("versions/two")
        os.replace(new, current)  # noqa: PTH105 - the rename itself is what is tested
        lines = []
        end_s = time.monotonic() + 60
        os.set_blocking(process.stderr.fileno(), False)
        while "now running versions/two" not in "".join(lines) and time.monotonic() < end_s:
            process.stdout.readline()
            lines += process.stderr.readlines()
        assert "edge-run: now running versions/two\n" in lines
        rows = [json.loads(process.stdout.readline()) for _ in range(20)]
    finally:
        process.terminate()
        process.communicate(timeout=30)
    frames = [row for row in rows if "frame" in row and "label" in row and "kind" not in row]
    assert {row["label"] for row in frames} == {"red"}


def test_serve_shows_and_uploads_use_the_new_model(models, spec, write_bundle, photo, tmp_path):
    versions = tmp_path / "models" / "versions"
    versions.mkdir(parents=True)
    for name, default in (("one", "int8.tflite"), ("two", "float32.tflite")):
        write_bundle(versions / name, spec, models, default=default)
    current = tmp_path / "models" / "current"
    current.symlink_to("versions/one")
    photo("red", name="red/1.png")
    command = [sys.executable, "-m", "edge_runtime.cli", "serve", str(current), "--port", "0"]
    command += ["--source", f"simulated:{tmp_path / 'red'}?fps=20"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        address = process.stderr.readline().split()[-1]

        with urllib.request.urlopen(f"{address}events", timeout=60) as stream:
            hellos = (json.loads(next(stream)[6:])["artifact"] for line in stream if line == b"event: hello\n")
            assert next(hellos) == "int8.tflite"
            new = tmp_path / "models" / ".new"
            new.symlink_to("versions/two")
            os.replace(new, current)  # noqa: PTH105 - the rename itself is what is tested
            assert next(hellos) == "float32.tflite"
        upload = urllib.request.Request(f"{address}classify", photo("blue").read_bytes(), method="POST")
        with urllib.request.urlopen(upload) as response:
            assert json.load(response)["label"] == "blue"
    finally:
        process.terminate()
        process.communicate(timeout=30)
