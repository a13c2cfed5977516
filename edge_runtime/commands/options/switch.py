"""Run a command with the model to which MODELS/current leads, and switch to another one while it runs."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.commands.options.drift import switch_drift
from edge_runtime.commands.options.keep import model_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from edge_runtime.classify.classifier import Classifier
    from edge_runtime.collection.keeper import Keeper
    from edge_runtime.live.drifting import DriftWatch
    from edge_runtime.update.follow import Follower


def follower_of(bundle: str, roi: tuple[int, int, int, int] | None) -> Follower | None:
    """Return what follows a models folder; None for any other bundle. Call it before the bundle is opened."""
    if not Path(bundle).is_symlink():  # the usual case loads nothing of edge_runtime.update
        return None
    from edge_runtime.update.follow import Follower, is_followed

    return Follower(Path(bundle), roi) if is_followed(bundle) else None


def following(
    follower: Follower | None, open_model: Callable[[], Classifier], switch: Callable[[Classifier], None]
) -> AbstractContextManager[None]:
    """Return the context in which the live loop runs; see `Follower.running`."""
    return follower.running(open_model, switch) if follower else contextlib.nullcontext()


def switch_parts(classifier: Classifier, keeper: Keeper | None, drift: DriftWatch | None) -> None:
    """Record the new model with the kept frames, and compare the pictures with its training. Raise BundleError."""
    if drift:
        switch_drift(drift, classifier.bundle)
    if keeper:
        keeper.model = model_of(classifier)
