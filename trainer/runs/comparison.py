"""Compare the models of two RUNs on photographs that neither has learnt from."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from trainer.evaluation.paired import Paired, compare_paired
from trainer.images.pixels import decode
from trainer.networks.keras_file import load_keras
from trainer.runs.unseen import find_unseen
from trainer.tensorflow_setup import require_tensorflow

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from edge_runtime.image.preprocess import Pixels
    from edge_runtime.model.spec import ModelSpec
    from trainer.data.layout import Found

PIXEL_KEYS = ("height", "width", "resize", "crop_fraction")


class Decided(NamedTuple):
    """The decisions of one model.

    Attributes:
        classes: the class with the highest probability, shape (N,), indices into the model's labels.
        familiarity: 0..1, shape (N,); None if the model computes none.

    """

    classes: NDArray[np.int64]
    familiarity: NDArray[np.float64] | None


class Difference(NamedTuple):
    """A photograph that only one of the models decides correctly.

    Attributes:
        name: as in a RUN's split.csv, or relative to the folder of --data.
        label: its class.
        old: the class that the old model decides.
        new: the class that the new model decides.
        row: its row in the pixels.

    """

    name: str
    label: str
    old: str
    new: str
    row: int


@dataclass(frozen=True)
class Familiar:
    """How many of the photographs are familiar to both models.

    Attributes:
        old: number that the old model recognizes.
        new: number that the new model recognizes.
        only_old: number that only the old model recognizes.
        only_new: number that only the new model recognizes.
        p_worse: as in `Paired`.

    """

    old: int
    new: int
    only_old: int
    only_new: int
    p_worse: float


@dataclass(frozen=True)
class Comparison:
    """Two models on the same photographs.

    Attributes:
        old: the old RUN.
        new: the new RUN.
        paired: the counts and the verdict.
        differences: the photographs that only one of the models decides correctly.
        familiar: None unless both models compute a familiarity.
        left_out: the number of photographs that were not used, by the reason.
        pixels: the photographs as the new model takes them, uint8 of shape (N, H, W, 3).

    """

    old: Path
    new: Path
    paired: Paired
    differences: tuple[Difference, ...]
    familiar: Familiar | None
    left_out: dict[str, int]
    pixels: Pixels

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        names = ("name", "label", "old", "new")
        return {
            "old": str(self.old),
            "new": str(self.new),
            **{name: value for name, value in self.paired.to_json().items() if name not in {"old", "new"}},
            "old_correct": self.paired.old,
            "new_correct": self.paired.new,
            "differences": [{name: getattr(one, name) for name in names} for one in self.differences],
            "familiar": asdict(self.familiar) if self.familiar else None,
            "left_out": self.left_out,
        }


def compare_runs(old: Path, new: Path, data: Sequence[Path] = ()) -> Comparison:
    """Compare two RUNs on their test photographs, or on those of other folders; see `find_unseen` for which.

    Only classes that both models know are compared.

    Raises:
        DataError: no photograph is left, or a folder cannot be read.
        TrainingError, SpecError: a RUN is damaged.

    """
    require_tensorflow()
    from trainer.runs.run_folder import read_spec

    old_spec, new_spec = read_spec(old), read_spec(new)
    labels = [label for label in new_spec.labels if label in old_spec.labels]
    unseen = find_unseen((old, new), data, new_spec, labels)
    decided = (
        _decide(old, _pixels_for(old_spec, new_spec, unseen.files, unseen.pixels)),
        _decide(new, unseen.pixels),
    )
    names = [
        [spec.labels[index] for index in one.classes] for spec, one in zip((old_spec, new_spec), decided, strict=True)
    ]
    truth = [file.label for file in unseen.files]
    old_right, new_right = (np.array([name == true for name, true in zip(one, truth, strict=True)]) for one in names)
    targets = np.array([labels.index(label) for label in truth], np.int64)
    return Comparison(
        old,
        new,
        compare_paired(old_right, new_right, targets, labels),
        tuple(
            Difference(unseen.files[at].name, truth[at], names[0][at], names[1][at], int(at))
            for at in np.flatnonzero(old_right != new_right)
        ),
        _familiar(*decided),
        unseen.left_out,
        unseen.pixels,
    )


def _pixels_for(spec: ModelSpec, other: ModelSpec, files: Sequence[Found], pixels: Pixels) -> Pixels:
    """Return the photographs as a model takes them; `pixels` if it takes them as the other one."""
    if all(getattr(spec, key) == getattr(other, key) for key in PIXEL_KEYS):
        return pixels
    return decode(files, spec).pixels


def _decide(run: Path, pixels: Pixels) -> Decided:
    from trainer.evaluation.calibration import features_of, logits_of, probabilities_of
    from trainer.runs.recognition import read_familiarity

    model = load_keras(run / "model.keras", "train again")
    features = features_of(model, pixels, np.arange(len(pixels)), f"computing the features of {run}")
    fitted = read_familiarity(run)
    classes = probabilities_of(logits_of(model, features)).argmax(axis=1)
    return Decided(classes, None if fitted is None else fitted.of(features))


def _familiar(old: Decided, new: Decided) -> Familiar | None:
    from edge_runtime.familiarity.subspace import MIN_FAMILIARITY

    if old.familiarity is None or new.familiarity is None:
        return None
    by_old, by_new = (one >= MIN_FAMILIARITY for one in (old.familiarity, new.familiarity))
    pair = compare_paired(by_old, by_new, np.zeros(len(by_old), np.int64), ["familiar"])
    return Familiar(pair.old, pair.new, pair.only_old, pair.only_new, pair.p_worse)
