"""The background of a fixed camera, and whether the camera has moved."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import numpy as np

from edge_runtime.drift.looks import CELLS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

BITS = 2 * CELLS * (CELLS - 1)
SLOWEST = 1 / 1800  # weight of a sample: two hours of samples every four seconds
FEWEST_SAMPLES = 150
STABLE = 0.9  # a bit that has the same value in this fraction of the samples belongs to the background
FEWEST_STABLE = 0.4  # fraction of the bits, below which there is no fixed background
MOVED, RETURNED = 0.25, 0.12  # fractions of the background's bits that are different


class Background:
    """A slow mean of the layout, see `looks.layout_of`.

    Attributes:
        samples: number of samples so far.
        means: of each bit, float64 of shape (BITS,), 0..1.

    """

    def __init__(self, samples: int = 0, means: NDArray[np.float64] | None = None) -> None:
        self.samples = samples
        self.means = np.full(BITS, 0.5) if means is None else means

    def add(self, layout: bytes) -> None:
        """Include a sample's layout."""
        self.samples += 1
        weight = max(SLOWEST, 1 / self.samples)
        self.means += weight * (_unpacked(layout) - self.means)

    def changed(self, layouts: Iterable[bytes]) -> float | None:
        """Return the fraction of the background's bits that are different in most of some samples.

        None if there are too few samples so far, or the camera has no fixed background.
        """
        stable = np.abs(self.means - 0.5) >= STABLE - 0.5
        if self.samples < FEWEST_SAMPLES or stable.mean() < FEWEST_STABLE:
            return None
        newest = np.mean([_unpacked(layout) for layout in layouts], axis=0)
        return float(np.mean((newest > 0.5)[stable] != (self.means > 0.5)[stable]))

    def to_json(self) -> dict[str, object]:
        """Return a JSON object."""
        rounded = np.round(self.means * 255).astype(np.uint8).tobytes()
        return {"samples": self.samples, "means": base64.b64encode(rounded).decode()}

    @classmethod
    def from_json(cls, data: dict[str, object]) -> Background:
        """Read what `to_json` returned. Raise ValueError, KeyError or TypeError if it is something else."""
        samples, text = data["samples"], data["means"]
        if type(samples) is not int or samples < 0 or not isinstance(text, str):
            raise ValueError("a background has a number of samples and means")
        means = np.frombuffer(base64.b64decode(text, validate=True), np.uint8)
        if len(means) != BITS:
            raise ValueError(f"a background has {BITS} means, not {len(means)}")
        return cls(samples, means / 255)


def packed(layout: NDArray[np.bool_]) -> bytes:
    """Return a layout's bits, eight in a byte."""
    return np.packbits(layout).tobytes()


def _unpacked(layout: bytes) -> NDArray[np.uint8]:
    return np.unpackbits(np.frombuffer(layout, np.uint8), count=BITS)
