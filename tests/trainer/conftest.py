"""Small sets of photographs that a test can spoil."""

from __future__ import annotations

import gc
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from trainer.tensorflow_setup import require_tensorflow

FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
PROBE = (
    "<script>onload=()=>{const p=[...document.images];"
    "document.title=`${p.filter(i=>i.complete&&i.naturalWidth>0).length} of ${p.length} loaded`}</script>"
)
TINTS = {"cat": (200, 60, 40), "dog": (40, 80, 200), "owl": (60, 190, 60)}

require_tensorflow()  # as the command does, before a test module imports keras


@pytest.fixture(scope="session")
def draw_photo():
    """Give a function that saves a noisy tinted picture; equal numbers give equal pictures."""

    def draw(path, number, tint=(128, 128, 128), size=(24, 20)):
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(number).normal(0, 30, (size[1], size[0], 3))
        Image.fromarray((noise + tint).clip(0, 255).astype(np.uint8)).save(path)
        return path

    return draw


@pytest.fixture(scope="session")
def draw_set(draw_photo):
    """Give a function that fills a folder per class with `count` PNGs each."""

    def draw(folder, labels=("cat", "dog"), count=12, first=0):
        for place, label in enumerate(labels):
            for number in range(first, first + count):
                draw_photo(folder / label / f"{label}{number:03}.png", place * 10_000 + number, TINTS[label])
        return folder

    return draw


@pytest.fixture
def data(draw_set, tmp_path):
    return draw_set(tmp_path / "data")


@pytest.fixture
def assert_page_opens(tmp_path):
    """Give a function that opens a page in a browser: no address, no console error, every picture there; its count."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("needs chromium")

    def opens(page):
        text = page.read_text()
        assert "http" not in text
        (tmp_path / "probe.html").write_text(text + PROBE)
        command = [chromium, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--enable-logging=stderr", "--dump-dom"]
        done = subprocess.run(
            [*command, f"file://{tmp_path / 'probe.html'}"], capture_output=True, text=True, check=False
        )
        count = text.count("<img ")
        assert f"{count} of {count} loaded" in done.stdout
        assert "CONSOLE" not in done.stderr
        return count

    return opens


@pytest.fixture(scope="module", autouse=True)
def _forgotten_graphs():
    """Let go of a module's networks: what TensorFlow keeps of them slows every later one."""
    yield
    sys.modules["keras"].backend.clear_session()
    gc.collect()
    gc.freeze()
