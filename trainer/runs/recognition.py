"""What a run's model recognizes as familiar: fit the familiarity and measure it on photographs and on other images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np

from edge_runtime.familiarity.scenes import drawn_pixels, shuffled
from edge_runtime.familiarity.subspace import LEAST_AUROC, MIN_FAMILIARITY, Familiarity, fit_familiarity, kept_interval
from trainer.data.unfamiliar import folder_pixels, package_pixels
from trainer.errors import DataError, TrainingError
from trainer.evaluation.calibration import features_of
from trainer.evaluation.familiarity import kept_share, separation
from trainer.images.samples import balanced
from trainer.progress import log

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from edge_runtime.image.preprocess import Pixels
    from edge_runtime.model.spec import ModelSpec
    from trainer.data.split import Split
    from trainer.evaluation.familiarity import Separation
    from trainer.images.dataset import Dataset, Photo
    from trainer.networks.models import Model
    from trainer.options import Options

    Features = NDArray[np.float32]

MOST_PHOTOGRAPHS = 5000  # of each split; more do not change a subspace of a few dozen directions
SCENES, SHUFFLED, PACKAGED = "drawn scenes", "shuffled photographs", "photographs of scikit-image"
DRAWN = 200
WIDE, MOST_FPR95 = 0.06, 0.1  # beyond these, the output of the training says that the familiarity is weak
PROOF_SCENES, PROOF_SHUFFLED = 50, 30  # the other images that the export runs through every file
SEED = 2025  # the other images are the same in every run


@dataclass(frozen=True)
class Recognition:
    """The familiarity of a run and how well it works.

    Attributes:
        familiarity: None if it was not wanted, or does not work for this model.
        reason: why it is None, or an empty text.
        kept: fraction of the test photographs that are familiar, 0..1.
        accuracy_of_kept: the accuracy on them, 0..1; None if there are none.
        separations: for each kind of other images, how well they are separated from the test photographs.
        unfamiliar: other images as model input, uint8 of shape (N, H, W, 3), for the proof of an export.
        kept_interval: the range of `kept` on many new photographs, with a probability of about 95%, 0..1.

    """

    familiarity: Familiarity | None
    reason: str
    kept: float
    accuracy_of_kept: float | None
    separations: Mapping[str, Separation]
    unfamiliar: Pixels
    kept_interval: tuple[float, float] = (1.0, 1.0)

    def factor(self, features: Features) -> NDArray[np.float64]:
        """Return the familiarity of features (N, D) as a factor of shape (N, 1): ones if there is none."""
        if self.familiarity is None:
            return np.ones((len(features), 1))
        return self.familiarity.of(features)[:, np.newaxis]

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        return {
            "used": self.familiarity is not None,
            "reason": self.reason,
            "keep": self.familiarity.keep if self.familiarity else None,
            "kept": self.kept,
            "kept_interval": self.kept_interval,
            "accuracy_of_kept": self.accuracy_of_kept,
            "separation": {name: one._asdict() for name, one in self.separations.items()},
        }


def features_of_split(model: Model, dataset: Dataset, split: Split) -> Features:
    """Return the inputs of the last layer for photographs of a split; of many training photographs, some per class."""
    return features_of(model, dataset.pixels, _rows(dataset, split), f"computing features of the {split} photographs")


def _rows(dataset: Dataset, split: Split) -> NDArray[np.int64]:
    return np.array([photo.row for photo in photos_of_split(dataset, split)])


def photos_of_split(dataset: Dataset, split: Split) -> list[Photo]:
    """Return the photographs of `features_of_split`, in its order."""
    photos = dataset.of(split)
    return balanced(photos, MOST_PHOTOGRAPHS) if split == "train" else photos


def recognize(
    model: Model,
    dataset: Dataset,
    features: Mapping[Split, Features],
    correct: NDArray[np.bool_],
    options: Options,
    *,
    frozen: bool,
) -> Recognition:
    """Fit the familiarity of a model and measure it.

    Args:
        model: the trained classifier.
        dataset: the photographs.
        features: of each split, from `features_of_split`.
        correct: for each test photograph, whether its class is decided correctly.
        options: the settings; `keep` is the share of photographs to recognize.
        frozen: whether the layers below the features were not trained on the training photographs.

    """
    nothing = np.empty((0, *dataset.pixels.shape[1:]), np.uint8)
    if not options.keep:
        return Recognition(None, "not wanted (--keep 0)", 1.0, float(correct.mean()), {}, nothing)
    fitted = fit_familiarity(
        features["train"],
        features["validation"],
        keep=options.keep,
        classes=len(dataset.spec.labels),
        frozen=frozen,
        seed=options.seed,
    )
    photographs = np.array([photo.row for photo in balanced(dataset.of("test"), DRAWN)])
    others = other_images(dataset.spec, np.asarray(dataset.pixels[photographs]))
    known = fitted.of(features["test"])
    separations = {
        name: separation(known, fitted.of(_features(model, pixels, name))) for name, pixels in others.items()
    }
    accepted = known >= MIN_FAMILIARITY
    of_kept = float(correct[accepted].mean()) if accepted.any() else None
    auroc = separations[SCENES].auroc
    if auroc < LEAST_AUROC:
        reason = f"its features do not separate the photographs from {SCENES} (AUROC {auroc:.2f} < {LEAST_AUROC:g})"
        log(f"no familiarity: {reason}; a pretrained backbone such as mobilenet_v2 has better features")
        return Recognition(None, reason, 1.0, float(correct.mean()), separations, nothing)
    unfamiliar = np.concatenate([others[SCENES][:PROOF_SCENES], others[SHUFFLED][:PROOF_SHUFFLED]])
    counts = len(features["train"]), len(features["validation"])
    interval = kept_interval(options.keep, *counts, frozen=frozen)
    result = Recognition(fitted, "", kept_share(known), of_kept, separations, unfamiliar, interval)
    for line in (summary(result), *weaknesses(result)):
        log(line)
    return result


def summary(recognition: Recognition) -> str:
    """Return in one line what is recognized."""
    found = ", ".join(f"{one.accepted:.1%} of {one.images} {name}" for name, one in recognition.separations.items())
    return f"familiar: {recognition.kept:.1%} of the test photographs, {found}"


def weaknesses(recognition: Recognition) -> list[str]:
    """Return one line for each reason why the familiarity is weak."""
    low, high = recognition.kept_interval
    found = []
    if high - low > WIDE:
        found.append(
            f"familiarity: few photographs set its limit, so {low:.0%} to {high:.0%} of new photographs may be familiar"
        )
    for name in (SCENES, PACKAGED):
        one = recognition.separations.get(name)
        if one is not None and one.fpr95 > MOST_FPR95:
            found.append(
                f"familiarity: weak for {name}: {one.fpr95:.0%} are as familiar as photographs of the classes; "
                "a pretrained backbone such as mobilenet_v2 has better features"
            )
    return found


def other_images(spec: ModelSpec, photographs: Pixels) -> dict[str, Pixels]:
    """Return images that belong to no class as model input, by kind; the photographs are shuffled for one of them."""
    found = {SCENES: drawn_pixels(DRAWN, spec, SEED), SHUFFLED: shuffled(photographs[:DRAWN], SEED)}
    packaged = package_pixels(spec)
    return found if packaged is None else {**found, PACKAGED: packaged}


@dataclass(frozen=True)
class MeasuredFamiliarity:
    """The familiarity of photographs and of other images, measured again.

    Attributes:
        known: of the photographs, float64 of shape (N,).
        accuracy_of_kept: the accuracy on the familiar photographs, 0..1; None if there are none.
        others: for each kind of other images, their pixels, uint8 of shape (M, H, W, 3), and their familiarity.

    """

    known: NDArray[np.float64]
    accuracy_of_kept: float | None
    others: Mapping[str, tuple[Pixels, NDArray[np.float64]]]

    @property
    def separations(self) -> dict[str, Separation]:
        """Return how well each kind of other images is separated from the photographs."""
        return {name: separation(self.known, found) for name, (_, found) in self.others.items()}

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        return {
            "kept": kept_share(self.known),
            "accuracy_of_kept": self.accuracy_of_kept,
            "separation": {name: one._asdict() for name, one in self.separations.items()},
        }

    def to_table(self) -> str:
        """Return lines of text: one row per kind of other images, then what is kept."""
        width = max(map(len, ("images of none of the classes", *self.others)))
        rows = [f"{'images of none of the classes':{width}}  images  accepted  FPR95  AUROC"]
        rows += [
            f"{name:{width}}  {one.images:6}  {one.accepted:8.1%}  {one.fpr95:5.1%}  {one.auroc:.3f}"
            for name, one in self.separations.items()
        ]
        accuracy = "" if self.accuracy_of_kept is None else f", accuracy on them {self.accuracy_of_kept:.1%}"
        return "\n".join([*rows, f"familiar: {kept_share(self.known):.1%} of the photographs{accuracy}"])


def measure_familiarity(
    folder: Path, spec: ModelSpec, model: Model, pixels: Pixels, correct: NDArray[np.bool_], unfamiliar: Path | None
) -> MeasuredFamiliarity | None:
    """Measure the familiarity of a RUN's model; None if it has none.

    Args:
        folder: the RUN.
        spec: its spec.
        model: its model.
        pixels: photographs of the classes, uint8 of shape (N, H, W, 3).
        correct: for each of them, whether its class is decided correctly.
        unfamiliar: a folder of images of none of the classes, which replace the built-in ones.

    Raises:
        TrainingError: the familiarity cannot be read.
        DataError: the folder contains no readable image.

    """
    fitted = read_familiarity(folder)
    if fitted is None:
        return None
    others = other_images(spec, pixels) if unfamiliar is None else {str(unfamiliar): _folder(unfamiliar, spec)}
    known = fitted.of(_features(model, pixels, "photographs"))
    kept = known >= MIN_FAMILIARITY
    accuracy = float(correct[kept].mean()) if kept.any() else None
    measured = {name: (images, fitted.of(_features(model, images, name))) for name, images in others.items()}
    return MeasuredFamiliarity(known, accuracy, measured)


def read_familiarity(folder: Path) -> Familiarity | None:
    """Read the familiarity of a RUN; None if it has none. Raise TrainingError if it cannot be read."""
    path = folder / "familiarity.npz"
    if not path.exists():
        return None
    try:
        return Familiarity.read(path)
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as problem:
        raise TrainingError(f"{path}: not readable ({problem}); train again") from None


def _folder(folder: Path, spec: ModelSpec) -> Pixels:
    found = folder_pixels(folder, spec) if folder.is_dir() else None
    if found is None:
        raise DataError(f"{folder}: contains no readable image; --unfamiliar needs a folder of other images")
    return found


def _features(model: Model, pixels: Pixels, name: str) -> Features:
    return features_of(model, pixels, np.arange(len(pixels)), f"computing the familiarity of {len(pixels)} {name}")
