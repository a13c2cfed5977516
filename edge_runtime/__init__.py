"""Run an exported image classifier on a small CPU device.

    from edge_runtime import Classifier
    Classifier.open("bundle").classify("cat.jpg").label

The names below are the public interface; modules inside the package may change. Importing this package imports nothing
else. A name imports its module when it is first used, and needs the standard library, numpy and Pillow.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge_runtime.classify.classifier import Classifier, Prediction
    from edge_runtime.classify.decision import Decision, Scored, decide
    from edge_runtime.errors import (
        BackendUnavailable,
        BundleError,
        EdgeError,
        InferenceError,
        SourceError,
        SpecError,
    )
    from edge_runtime.image.preprocess import preprocess
    from edge_runtime.live.hooks import Hooks
    from edge_runtime.live.records import Event, Frame, FramePrediction, Sink, Source
    from edge_runtime.live.sources.opening import open_source
    from edge_runtime.live.stream import Stream
    from edge_runtime.model.bundle import Bundle
    from edge_runtime.model.spec import ModelSpec

_MODULES = {
    "BackendUnavailable": "errors",
    "Bundle": "model.bundle",
    "BundleError": "errors",
    "Classifier": "classify.classifier",
    "Decision": "classify.decision",
    "EdgeError": "errors",
    "Event": "live.records",
    "Frame": "live.records",
    "FramePrediction": "live.records",
    "Hooks": "live.hooks",
    "InferenceError": "errors",
    "ModelSpec": "model.spec",
    "Prediction": "classify.classifier",
    "Scored": "classify.decision",
    "Sink": "live.records",
    "Source": "live.records",
    "SourceError": "errors",
    "SpecError": "errors",
    "Stream": "live.stream",
    "decide": "classify.decision",
    "open_source": "live.sources.opening",
    "preprocess": "image.preprocess",
}

__all__ = [
    "BackendUnavailable",
    "Bundle",
    "BundleError",
    "Classifier",
    "Decision",
    "EdgeError",
    "Event",
    "Frame",
    "FramePrediction",
    "Hooks",
    "InferenceError",
    "ModelSpec",
    "Prediction",
    "Scored",
    "Sink",
    "Source",
    "SourceError",
    "SpecError",
    "Stream",
    "decide",
    "open_source",
    "preprocess",
]


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
