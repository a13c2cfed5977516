"""What an export starts from: the trained model and the images for calibration and proof."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_runtime.backends.interface import class_probabilities
from edge_runtime.image.preprocess import preprocess

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from edge_runtime.drift.baseline import Baseline
    from edge_runtime.image.preprocess import Pixels
    from edge_runtime.model.spec import ModelSpec
    from export.sources.keras_model import ModelFile

BATCH = 32


@dataclass(frozen=True)
class SourceModel:
    """A trained classifier with its spec and its images.

    Attributes:
        model: a Keras model from float32 RGB pixels in 0..255, shape (N, height, width, 3), to one probability for each
            label.
        origin: its file, for processes that open it themselves.
        spec: its spec.
        calibration: preprocessed training images, uint8 (N, height, width, 3).
        holdout: preprocessed test images, in the same form; none of them is in `calibration`.
        holdout_labels: their class indices, int64 (N,).
        samples: encoded test images, for golden images.
        unseen: preprocessed photographs of the classes that the familiarity was not fitted to, in the same form; they
            place its limit in quantized files. None if there are none.
        unfamiliar: images of none of the classes, uint8 (M, height, width, 3), if the model computes a familiarity.
        holdout_keys: the first 8 bytes of the SHA-256 of each held-out image's file, uint64 (N,); None if unknown.
        learnt_keys: the same of the photographs that the model has learnt from, uint64 (M,); None if unknown.
        baseline: how its training photographs look; None if unknown.
        no_familiarity: why the model computes no familiarity; None if it does.
        unchecked: what could not be checked without labelled images; None if everything was.

    """

    model: Any
    origin: ModelFile
    spec: ModelSpec
    calibration: Pixels
    holdout: Pixels
    holdout_labels: NDArray[np.int64]
    samples: tuple[Path, ...]
    unseen: Pixels | None = None
    unfamiliar: Pixels | None = None
    holdout_keys: NDArray[np.uint64] | None = None
    learnt_keys: NDArray[np.uint64] | None = None
    baseline: Baseline | None = None
    no_familiarity: str | None = None
    unchecked: str | None = None

    @cached_property
    def sample_pixels(self) -> Pixels:
        """Return the preprocessed samples, uint8 (n_samples, height, width, 3)."""
        return np.stack([preprocess(path, self.spec) for path in self.samples])

    @cached_property
    def unfamiliar_reference(self) -> NDArray[np.float32]:
        """Return the trained model's probabilities of the images of none of the classes, float32 (M, classes)."""
        return self.probabilities(self.holdout[:0] if self.unfamiliar is None else self.unfamiliar)

    def probabilities(self, pixels: NDArray[np.number[Any]]) -> NDArray[np.float32]:
        """Classify pixels 0..255, (N, height, width, 3), with the trained model: float32 (N, classes)."""
        batches = [pixels[start : start + BATCH] for start in range(0, len(pixels), BATCH)]
        outputs = [self.model.predict_on_batch(batch.astype(np.float32)) for batch in batches]
        return class_probabilities(np.concatenate(outputs), self.spec)
