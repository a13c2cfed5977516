"""Fixtures for the tests of the sinks."""

from __future__ import annotations

import pytest

from edge_runtime.classify.decision import Scored
from edge_runtime.live.records import Event, FramePrediction


@pytest.fixture
def make_event():
    """Return a function that creates the n-th event of a camera."""

    def make(number=0, kind="entered", **changes):
        return Event(**{"kind": kind, "source": "cam", "at": 1e9 + number, "label": "cat", "frame": number, **changes})

    return make


@pytest.fixture
def make_prediction():
    def make(number=0, label="cat"):
        top = (Scored(label, 0.9), Scored("dog", 0.1))
        return FramePrediction("cam", number, 1e9, 40.0, 0, label, 0.9, top, label, 1.0, 2.0, 3.0)

    return make
