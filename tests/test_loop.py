"""From the camera to a better model with the real programs: collect, train, keep, review, fetch, train, compare."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
from contextlib import contextmanager

import numpy as np
import pytest
from chromium import browsers
from mjpeg_server import MjpegServer
from PIL import Image

from edge_runtime.collection.names import burst_of
from edge_runtime.collection.store import picture_names

pytestmark = pytest.mark.slow

DIGITS, EMPTY = ("0", "5"), "nothing"
LABELS = (*DIGITS, EMPTY)
KEYS = {"0": "1", "5": "2", EMPTY: "0"}  # of the page that reviews
PRESSES, HELD_S = 3, 1.5  # of each class; a burst for training, one for validation, one for the test
BETWEEN_BURSTS_S = 2.2
TRAINING = ("--model", "cnn_bn", "--image-size", "32", "--augment", "gentle", "--epochs", "25")


def half_light(pixels):
    return pixels / 2


def lamp(pixels):
    """Return a scene in the warm light of a lamp on its left."""
    return pixels * np.linspace(1.5, 0.15, pixels.shape[1])[None, :, None] * (1.25, 0.85, 0.45)


def jpeg_of(pixels):
    stream = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).resize((160, 160)).save(stream, "JPEG", quality=90)
    return stream.getvalue()


def empty_scene(number):
    """Return a wall in light of its own, so that no scene nearly repeats the one before."""
    light = np.linspace(1.0, 0.7 + 0.05 * (number % 7), 100)[:, None, None]
    noise = np.random.default_rng(number).normal(0, 4, (100, 100, 3))
    return (60 + 37 * number % 140) * light * (1.0, 0.95, 0.9) + noise


@pytest.fixture(scope="module")
def pictures(shared):
    """Return a function that gives some pictures of a class in a light, as JPEG."""
    folder = shared("data/sign-digits")

    def some(label, light, first, count):
        if label == EMPTY:
            scenes = [empty_scene(number) for number in range(first, first + count)]
        else:
            files = sorted((folder / label).glob("*"))[first : first + count]
            scenes = [np.asarray(Image.open(path).convert("RGB"), np.float64) for path in files]
        return [jpeg_of(light(scene)) for scene in scenes]

    return some


@pytest.fixture(scope="module")
def page():
    """Open a page in a headless Chromium."""
    with browsers() as open_browser:
        yield open_browser()


def command(module, *words, code=0):
    done = subprocess.run([sys.executable, "-m", module, *map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return done.stdout


@contextmanager
def served(*words):
    """Run a command that serves a page; give its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "edge_runtime.cli", *map(str, words), "--port", "0"], stderr=subprocess.PIPE, text=True
    )
    try:
        line = process.stderr.readline()
        assert "serving on " in line, line
        yield line.rpartition(" ")[2].strip()
    finally:
        process.terminate()
        assert process.wait(20) == 0
        process.stderr.close()


def collect(page, pictures, out):
    """Collect the digits on the page, in several bursts each, and the empty scene without a page."""
    empty = out.with_name("empty")
    write(empty, pictures(EMPTY, half_light, 0, 12))
    command("edge_runtime.cli", "collect", out, "--source", empty, "--label", EMPTY)
    camera = MjpegServer((0, 0, 0), fps=8)
    try:
        with served("collect", out, "--source", camera.url, "--labels", ",".join(LABELS)) as address:
            page.open(address)
            page.until("return document.querySelectorAll('.class').length === 3")
            for press in range(PRESSES):
                for label in DIGITS:
                    camera.play(pictures(label, half_light, 8 * press, 8))
                    time.sleep(BETWEEN_BURSTS_S)
                    page.press(f".class[data-label='{label}']", hold_s=HELD_S)
            page.until("return document.querySelector('.class[data-label=nothing] .count').textContent === '12'")
            assert page.console() == []
            page.open("about:blank")
    finally:
        camera.stop()


def write(folder, contents):
    folder.mkdir(parents=True, exist_ok=True)
    for number, content in enumerate(contents):
        (folder / f"{number:03}.jpg").write_bytes(content)


def review(page, address, truth):
    """Give each frame its label on the page, with the keyboard alone; return the accuracy that the page shows."""
    page.open(f"{address}review")
    for left in range(len(truth), 0, -1):
        page.until(f"return document.querySelectorAll('#grid li').length === {left}")
        name = page.until("return document.querySelector('#grid .active')?.dataset.name")
        page.keys(KEYS[truth[name]])
    page.until("return document.getElementById('accuracy').textContent.includes('right in the field')")
    assert page.console() == []
    return page.text("accuracy")


def test_what_a_camera_collects_and_keeps_makes_the_model_better(page, pictures, tmp_path):
    collect(page, pictures, tmp_path / "collected")
    counts = {label: len(list(picture_names(tmp_path / "collected" / label))) for label in LABELS}
    assert counts[EMPTY] == 12
    for label in DIGITS:
        assert counts[label] >= 3 * PRESSES
        bursts = {burst_of(name) for name in picture_names(tmp_path / "collected" / label)}
        assert len(bursts) == PRESSES
    command("trainer.cli", "train", tmp_path / "collected", *TRAINING, "--out", tmp_path / "run")
    command("export.cli", "export", tmp_path / "run", "--out", tmp_path / "bundle", "--formats", "float32.tflite")

    truth = {}
    for label, count in zip(LABELS, (20, 20, 12), strict=True):
        write(tmp_path / "field" / label, pictures(label, lamp, 40, count))
    words = ("watch", tmp_path / "bundle", "--source", tmp_path / "field", "--keep-hard", tmp_path / "hard")
    command("edge_runtime.cli", *words)
    originals = {path.read_bytes(): path.parent.name for path in (tmp_path / "field").rglob("*.jpg")}
    for name in picture_names(tmp_path / "hard/kept"):
        truth[name] = originals[(tmp_path / "hard/kept" / name).read_bytes()]
    assert set(truth.values()) == set(LABELS)

    with served("review", tmp_path / "hard", "--labels", ",".join(DIGITS)) as address:
        print(review(page, address, truth))
        fetched = command("trainer.cli", "fetch", address, "--out", tmp_path / "reviewed", "--json")
        assert json.loads(fetched)["new"] == len(truth)
        assert (
            json.loads(command("trainer.cli", "fetch", address, "--out", tmp_path / "reviewed", "--json"))["new"] == 0
        )
    assert {path.name: path.parent.name for path in (tmp_path / "reviewed").glob("*/*.jpg")} == truth

    again = ("train", tmp_path / "collected", tmp_path / "reviewed", "--from", tmp_path / "run")
    command("trainer.cli", *again, "--out", tmp_path / "run-2")
    for label in LABELS:
        write(tmp_path / "later" / label, pictures(label, lamp, 80, 40))
    print(counts, len(truth))
    words = ("compare", tmp_path / "run", tmp_path / "run-2", "--data", tmp_path / "later", "--json")
    assert json.loads(command("trainer.cli", *words))["verdict"] == "better"
