"""Compare what an artifact and the trained model recognize as familiar, of held-out images and of other images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from export.significance import SIGNIFICANCE, mcnemar_p

if TYPE_CHECKING:
    from numpy.typing import NDArray

# The shares of two files on the same images may differ by this much; more counts if it is significant.
MAX_DIFFERENCE = 0.02


@dataclass(frozen=True)
class Familiar:
    """What an artifact recognizes. The familiarity of an image is the sum of its probabilities.

    Attributes:
        kept: fraction of the held-out images that are familiar, 0..1.
        reference_kept: the trained model's.
        kept_lost: held-out images that only the trained model recognizes.
        kept_gained: held-out images that only the artifact recognizes.
        images: number of other images.
        accepted: fraction of the other images that are familiar, 0..1.
        reference_accepted: the trained model's.
        accepted_gained: other images that only the artifact accepts.
        accepted_lost: other images that only the trained model accepts.
        fpr95: fraction of the other images that are as familiar as the 95% most familiar held-out images, 0..1.
        max_abs_diff: largest difference of a familiarity, over all images.

    """

    kept: float
    reference_kept: float
    kept_lost: int
    kept_gained: int
    images: int
    accepted: float
    reference_accepted: float
    accepted_gained: int
    accepted_lost: int
    fpr95: float
    max_abs_diff: float


def compare_familiar(
    known: tuple[NDArray[np.float32], NDArray[np.float32]],
    other: tuple[NDArray[np.float32], NDArray[np.float32]],
    limit: float,
) -> Familiar:
    """Compare two classifiers.

    Args:
        known: the trained model's and the artifact's probabilities of held-out images, each (n_images, n_classes).
        other: the same of images of none of the classes.
        limit: the least familiarity, 0..1.

    """
    reference, found = (rows.sum(axis=1, dtype=np.float64) for rows in known)
    other_reference, other_found = (rows.sum(axis=1, dtype=np.float64) for rows in other)
    before, after = reference >= limit, found >= limit
    other_before, other_after = other_reference >= limit, other_found >= limit
    differences = (np.abs(reference - found), np.abs(other_reference - other_found))
    return Familiar(
        kept=float(after.mean()),
        reference_kept=float(before.mean()),
        kept_lost=int((before & ~after).sum()),
        kept_gained=int((after & ~before).sum()),
        images=len(other_found),
        accepted=float(other_after.mean()),
        reference_accepted=float(other_before.mean()),
        accepted_gained=int((other_after & ~other_before).sum()),
        accepted_lost=int((other_before & ~other_after).sum()),
        fpr95=float(np.mean(other_found >= np.quantile(found, 0.05))),
        max_abs_diff=float(max(values.max() for values in differences)),
    )


def familiar_failures(familiar: Familiar) -> list[str]:
    """Return what an artifact recognizes less well than the trained model; an empty list if nothing."""
    found = []
    fewer = familiar.reference_kept - familiar.kept > MAX_DIFFERENCE
    if fewer and mcnemar_p(familiar.kept_lost, familiar.kept_gained) < SIGNIFICANCE:
        found.append(
            f"recognizes {familiar.kept:.1%} of the held-out images as familiar,"
            f" the trained model {familiar.reference_kept:.1%}"
        )
    more = familiar.accepted - familiar.reference_accepted > MAX_DIFFERENCE
    if more and mcnemar_p(familiar.accepted_gained, familiar.accepted_lost) < SIGNIFICANCE:
        found.append(
            f"accepts {familiar.accepted:.1%} of the images of none of the classes as familiar,"
            f" the trained model {familiar.reference_accepted:.1%}"
        )
    return found
