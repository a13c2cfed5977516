"""Check that an edited file computes what the original does."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from edge_runtime.selftest.golden import QUANTIZED_TOLERANCE, output_tolerance
from export.errors import ExportError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from export.sources.exported.ends import ModelEnds
    from export.sources.reading import Reading

NUDGE = 2**-22


def nudged(reading: Reading) -> Reading:
    """Return a reading whose values differ in the last bits of float32."""
    return replace(reading, std=tuple(value * (1 - NUDGE) for value in reading.std))


def check_edit(
    found: NDArray[np.float32], expected: NDArray[np.float32], sensitivity: float, ends: ModelEnds, model: Path
) -> None:
    """Raise ExportError unless a device computes what the original file does for the same images.

    Args:
        found: the edited file's probabilities, (N, classes).
        expected: the original's.
        sensitivity: the largest difference that the last bits of the input make to the original's probabilities. It is
            large if a file quantizes its activations while it runs, because a rounding that flips changes the next
            ones.
        ends: the file's input and output.
        model: the file, for errors.

    """
    difference = float(np.abs(found - expected).max())
    quantized = QUANTIZED_TOLERANCE if ends.precision != "float32" else 0
    if difference <= max(output_tolerance(ends.precision), quantized, 2 * sensitivity):
        return
    cause = (
        f"it takes {ends.batch} images at a time, which cannot be changed; export it with a batch of 1"
        if ends.batch not in {None, 1}
        else "its graph cannot be edited; export it again with pixels as input"
    )
    raise ExportError(
        f"{model}: with pixels as input it computes other probabilities, by up to {difference:.2g}: {cause}"
    )
