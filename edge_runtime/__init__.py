"""Run an exported image classifier on a small CPU device.

    from edge_runtime import Classifier
    Classifier.open("bundle").classify("cat.jpg").label

At import this package needs the standard library, numpy and Pillow; even these come only with the first name used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge_runtime.bundle import Bundle
    from edge_runtime.classifier import Classifier, Prediction
    from edge_runtime.decision import Decision, Scored, decide
    from edge_runtime.errors import (
        BackendUnavailable,
        BundleError,
        EdgeError,
        InferenceError,
        SourceError,
        SpecError,
    )
    from edge_runtime.spec import ModelSpec

_HOMES = {
    "Bundle": "bundle",
    "Classifier": "classifier",
    "Prediction": "classifier",
    "Decision": "decision",
    "Scored": "decision",
    "decide": "decision",
    "BackendUnavailable": "errors",
    "BundleError": "errors",
    "EdgeError": "errors",
    "InferenceError": "errors",
    "SourceError": "errors",
    "SpecError": "errors",
    "ModelSpec": "spec",
}

__all__ = [  # noqa: RUF022 - the order of _HOMES
    "Bundle",
    "Classifier",
    "Prediction",
    "Decision",
    "Scored",
    "decide",
    "BackendUnavailable",
    "BundleError",
    "EdgeError",
    "InferenceError",
    "SourceError",
    "SpecError",
    "ModelSpec",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
