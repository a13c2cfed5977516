"""Inform the parts of a running command about another model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_runtime.commands.options.drift import switch_drift
from edge_runtime.commands.options.keep import model_of

if TYPE_CHECKING:
    from edge_runtime.classify.classifier import Classifier
    from edge_runtime.collection.keeper import Keeper
    from edge_runtime.live.drifting import DriftWatch


def switch_parts(bundle: str, classifier: Classifier, keeper: Keeper | None, drift: DriftWatch | None) -> None:
    """Record the new model with the kept frames, and compare the pictures with its training. Raise BundleError."""
    if keeper:
        keeper.model = model_of(classifier)
    if drift:
        switch_drift(drift, bundle)
