"""Pictures that differ as a test needs it, and frames of them."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from edge_runtime.classify.decision import Scored
from edge_runtime.live.records import Frame, FramePrediction


def scene(number, size=(64, 48)):
    """Return RGB pixels of a scene of its own: coarse random cells, which an average hash distinguishes."""
    cells = np.random.default_rng(number).integers(0, 256, (8, 8, 3), np.uint8)
    return np.asarray(Image.fromarray(cells).resize(size, Image.Resampling.NEAREST))


def jpeg(pixels):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=95, subsampling=0)
    return stream.getvalue()


@pytest.fixture
def make_scene():
    return scene


@pytest.fixture
def make_jpeg():
    return jpeg


@pytest.fixture
def make_frame():
    """Return a function that makes a frame of a scene, captured at a time in seconds."""

    def make(number=0, at_s=None, image=None, **changes):
        at_s = float(number) if at_s is None else at_s
        return Frame("cam", number, jpeg(scene(number)) if image is None else image, 1.7e9 + at_s, at_s, **changes)

    return make


@pytest.fixture
def make_prediction():
    def make(number=0, label="red", scores=(0.9, 0.06, 0.04), **changes):
        top = tuple(Scored(name, score) for name, score in zip(("red", "green", "blue"), scores, strict=True))
        values = {
            "source": "cam",
            "frame": number,
            "captured_at": 1.7e9,
            "age_ms": 1.0,
            "dropped": 0,
            "label": label,
            "score": scores[0],
            "top": top,
            "stable": label,
            "decode_ms": 1.0,
            "preprocess_ms": 1.0,
            "inference_ms": 1.0,
        }
        return FramePrediction(**{**values, **changes})

    return make
