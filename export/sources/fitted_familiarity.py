"""Fit a familiarity to a Keras classifier that edge-train did not write, from its calibration images."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_runtime.familiarity.scenes import draw_scenes, drawn_pixels, shuffled
from edge_runtime.familiarity.subspace import LEAST_AUROC, MIN_FAMILIARITY, fit_familiarity
from export.sources.familiarity import features_model, read_familiarity, with_features
from export.sources.keras_model import pixel_classifier
from export.sources.source_model import BATCH, SourceModel

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from edge_runtime.image.preprocess import Pixels
    from export.sources.reading import Reading

    Floats = NDArray[np.float64]

KEEP = 0.95  # the share of photographs of the classes that is meant to be familiar
LEAST_IMAGES = 40  # with fewer, the share that is kept would be left to chance
SCENES, SHUFFLED = 50, 30  # of the proof
SCENES_SEED, SAMPLE_SEED = 2025, 7


def with_fitted_familiarity(source: SourceModel, model: Any, scratch: Path) -> SourceModel:  # noqa: ANN401 - Keras is not typed
    """Return the source with a familiarity, or with the reason why it has none.

    It is fitted to half of the calibration images and calibrated on all of them. If the model was trained on them, it
    keeps fewer than KEEP of new photographs; the proof measures that on the held-out images.

    Args:
        source: a classifier without familiarity.
        model: its Keras model, as it was loaded.
        scratch: a folder for its parameters and a sample image.

    """
    both = features_model(model)
    if both is None:
        return replace(source, no_familiarity="its pooled features were not found")
    if len(source.calibration) < LEAST_IMAGES:
        return replace(source, no_familiarity=f"fewer than {LEAST_IMAGES} calibration images; give more with --data")
    below = _features_of(both, source.origin.reading)
    known, spec = below(source.calibration), source.spec
    fitted = fit_familiarity(known[::2], known[1::2], keep=KEEP, classes=len(spec.labels), frozen=True)
    scenes = drawn_pixels(SCENES, spec, SCENES_SEED)
    auroc = _auroc(fitted.of(below(source.holdout)), fitted.of(below(scenes)))
    if auroc < LEAST_AUROC:
        reason = f"its features do not separate the images from drawn scenes (AUROC {auroc:.2f} < {LEAST_AUROC:g})"
        return replace(source, no_familiarity=reason)
    path, scene = scratch / "familiarity.npz", scratch / "90-unfamiliar.png"
    fitted.write(path)
    next(draw_scenes(1, SAMPLE_SEED)).save(scene)
    familiarity = read_familiarity(path)
    origin = replace(source.origin, familiarity=path)
    return replace(
        source,
        model=pixel_classifier(
            with_features(model, origin.path, familiarity),
            side=(spec.height, spec.width),
            reading=origin.reading,
            head=origin.head,
            familiarity=familiarity,
        ),
        origin=origin,
        spec=replace(spec, min_familiarity=MIN_FAMILIARITY),
        samples=(*source.samples, scene),
        unseen=source.calibration[1::2],
        unfamiliar=np.concatenate([scenes, shuffled(source.holdout[:SHUFFLED], SCENES_SEED)]),
    )


def _features_of(both: Any, reading: Reading) -> Any:  # noqa: ANN401 - Keras is not typed
    """Return a function from pixels, uint8 (N, H, W, 3), to features, float32 (N, D)."""
    from export.quiet_tensorflow import keras

    below = keras.Model(both.inputs, both.outputs[0])

    def compute(pixels: Pixels) -> NDArray[np.float32]:
        batches = [pixels[at : at + BATCH] for at in range(0, len(pixels), BATCH)]
        return np.concatenate([below.predict_on_batch(reading.apply(batch)) for batch in batches])

    return compute


def _auroc(known: Floats, other: Floats) -> float:
    """Return the probability that a photograph is more familiar than another image; ties count half."""
    above = known[:, np.newaxis] - other
    return float(np.mean((above > 0) + 0.5 * (above == 0)))
