"""Compare a new bundle with the one that it would replace, on held-out images, in the runtime of devices."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_runtime.backends.names import BACKENDS_BY_FORMAT, installed
from edge_runtime.model.bundle import Bundle
from edge_runtime.model.training_digests import read_training_keys
from export.errors import ExportError, ParityError
from export.proof.gate import SIGNIFICANCE
from export.proof.significance import mcnemar_p
from export.runtimes.process import run_on_device

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from edge_runtime.model.spec import ModelSpec
    from export.proof.measure import Measured
    from export.sources.source_model import SourceModel

PIXEL_KEYS = ("height", "width", "resize", "crop_fraction")
UNKNOWN = (
    "the older bundle does not contain the digests of its training photographs, so some of the images may be among "
    "them, which favours it"
)


@dataclass(frozen=True)
class Replacement:
    """The new bundle's default artifact and the older bundle's, on the same images.

    Attributes:
        bundle: the older bundle's folder.
        artifact: the new artifact's name.
        old_artifact: the older artifact's name.
        images: number of compared images.
        old_accuracy: of the older artifact, 0..1.
        new_accuracy: of the new artifact, 0..1.
        only_old: images that only the older artifact decides correctly.
        only_new: images that only the new artifact decides correctly.
        p_worse: the probability of at least `only_old` if both were equally good: McNemar's exact test, one-sided.
        learnt: images that were left out because the older model has learnt from them.
        other_classes: images that were left out because the older model does not have their class.
        caveat: what could not be checked; None if everything was.

    """

    bundle: str
    artifact: str
    old_artifact: str
    images: int
    old_accuracy: float
    new_accuracy: float
    only_old: int
    only_new: int
    p_worse: float
    learnt: int
    other_classes: int
    caveat: str | None

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        return asdict(self)

    def summary(self) -> str:
        """Return the comparison in one line."""
        return (
            f"accuracy {self.new_accuracy:.1%} of {self.images} images, {self.old_accuracy:.1%} of {self.old_artifact} "
            f"in {self.bundle}; correct only by the new one: {self.only_new}, only by the older one: {self.only_old} "
            f"(McNemar p = {self.p_worse:.2g})"
        )


def open_older(folder: Path, spec: ModelSpec) -> Bundle:
    """Open the bundle to compare with. Raise ExportError if it takes other pixels than a model with this spec."""
    bundle = Bundle.open(folder)
    ours, theirs = ({key: getattr(one, key) for key in PIXEL_KEYS} for one in (spec, bundle.spec))
    if spec.resize != "crop":
        ours["crop_fraction"] = theirs["crop_fraction"]
    if ours != theirs:
        raise ExportError(
            f"{folder}: takes {bundle.spec.width}x{bundle.spec.height} pixels ({bundle.spec.resize}), the new model "
            f"{spec.width}x{spec.height} ({spec.resize}), so the held-out images do not fit both; compare RUNs with "
            "edge-train compare, and export without --better-than"
        )
    bundle.check_file(bundle.artifact().file)
    return bundle


def compare_with(older: Bundle, item: Measured, source: SourceModel) -> Replacement:
    """Compare an artifact with the default one of an older bundle.

    Args:
        older: from `open_older`.
        item: the new artifact's measurements.
        source: the held-out images.

    Raises:
        ExportError: a runtime refuses the older file, or no image is left to compare on.

    """
    known = np.array([label in older.spec.labels for label in source.spec.labels])
    labels = source.holdout_labels[item.images]
    of_class = known[labels]
    keys = read_training_keys(older)
    unchecked = keys is None or source.holdout_keys is None
    learnt = np.zeros(len(labels), bool)
    if keys is not None and source.holdout_keys is not None:
        learnt = np.isin(source.holdout_keys[item.images], keys)
    kept = of_class & ~learnt
    if not kept.any():
        raise ExportError(
            f"{older.folder}: its model has learnt from {int(learnt.sum())} of the {len(labels)} held-out images and "
            f"does not have the classes of {int(np.sum(~of_class))}, so nothing is left to compare on; train with "
            "other photographs for the test, or export without --better-than"
        )
    old_right = _decided(older, source.holdout[item.images[kept]]) == np.array(source.spec.labels)[labels[kept]]
    new_right = item.probabilities[kept].argmax(axis=1) == labels[kept]
    only_old, only_new = int(np.sum(old_right & ~new_right)), int(np.sum(new_right & ~old_right))
    return Replacement(
        bundle=str(older.folder),
        artifact=item.candidate.name,
        old_artifact=older.default,
        images=int(kept.sum()),
        old_accuracy=float(old_right.mean()),
        new_accuracy=float(new_right.mean()),
        only_old=only_old,
        only_new=only_new,
        p_worse=mcnemar_p(only_old, only_new),
        learnt=int(learnt.sum()),
        other_classes=int(np.sum(~of_class)),
        caveat=UNKNOWN if unchecked else None,
    )


def refuse_if_worse(found: Replacement) -> None:
    """Raise ParityError if the new artifact is worse beyond chance."""
    if found.p_worse < SIGNIFICANCE:
        caveat = f"; {found.caveat}" if found.caveat else ""
        raise ParityError(
            f"nothing is published, because the new model is worse than {found.bundle} beyond chance: "
            f"{found.summary()}{caveat}; add photographs and train again, or export without --better-than"
        )


def _decided(bundle: Bundle, pixels: NDArray[np.uint8]) -> NDArray[np.str_]:
    """Return the label that a bundle's default artifact decides for each image."""
    artifact = bundle.artifact()
    backends = installed(BACKENDS_BY_FORMAT[artifact.format])
    if not backends:
        raise ExportError(
            f"{bundle.folder}: no runtime for {artifact.name} is installed; pip install 'edgewise[export]'"
        )
    run = run_on_device(bundle.folder / artifact.file.path, bundle.spec, pixels, backends[0])
    return np.array([bundle.spec.labels[index] for index in run.probabilities.argmax(axis=1)])
