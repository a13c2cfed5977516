"""Small sets of photographs that a test can spoil."""

from __future__ import annotations

import gc
import sys

import numpy as np
import pytest
from PIL import Image

from trainer.tensorflow_setup import require_tensorflow

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


@pytest.fixture(scope="module", autouse=True)
def _forgotten_graphs():
    """Let go of a module's networks: what TensorFlow keeps of them slows every later one."""
    yield
    sys.modules["keras"].backend.clear_session()
    gc.collect()
    gc.freeze()
