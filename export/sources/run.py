"""Read a RUN, the folder that `edge-train train` writes."""

from __future__ import annotations

import csv
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_runtime.drift.baseline import BASELINE_NAME, MOST_BYTES, Baseline, parse_baseline
from edge_runtime.errors import BundleError
from edge_runtime.model.spec import ModelSpec
from edge_runtime.model.training_digests import keys_of
from edge_runtime.storage.regular_files import read_at_most
from export.errors import ExportError
from export.sources.calibration import choose
from export.sources.familiarity import MIN_FAMILIARITY
from export.sources.keras_model import ModelFile, open_classifier
from export.sources.source_model import SourceModel

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from edge_runtime.image.preprocess import Pixels

LEARNT_FROM = ("train", "validation")  # the validation photographs choose the epoch and calibrate the probabilities


def read_run(run: Path, *, calibration_images: int = 200) -> SourceModel:
    """Read the folder that `edge-train train` writes.

    Args:
        run: the folder.
        calibration_images: maximum number of its calibration images to use.

    Raises:
        ExportError, SpecError: a file is missing, damaged or contradicts the spec; the message names it.

    """
    if not run.is_dir():
        raise ExportError(f"{run}: no such RUN folder; edge-train train writes one")
    spec = ModelSpec.read(run / "spec.json")
    holdout = _arrays(run / "holdout.npz", spec, ("pixels", "labels"))
    calibration = _calibration(run / "calibration.npz", spec, calibration_images)
    _check_disjoint(calibration, holdout["pixels"], run)
    samples = tuple(sorted(path for path in (run / "samples").glob("*") if path.is_file()))
    if not samples:
        raise ExportError(f"{run / 'samples'}: contains no images; train again")
    path = run / "familiarity.npz"
    familiarity = path if path.exists() else None  # older runs, and runs that do not use it, have none
    origin = ModelFile(run / "model.keras", head=spec.output, familiarity=familiarity)
    return SourceModel(
        model=_open_keras(origin, spec),
        origin=origin,
        # Every exported graph returns one probability for each label, also for a sigmoid.
        spec=replace(spec, output="softmax", min_familiarity=MIN_FAMILIARITY if familiarity else None),
        calibration=calibration,
        holdout=holdout["pixels"],
        holdout_labels=_checked_labels(holdout, spec, run / "holdout.npz"),
        samples=samples,
        unseen=_unseen(run / "validation.npz", spec) if familiarity else None,
        unfamiliar=_arrays(run / "unfamiliar.npz", spec, ("pixels",))["pixels"] if familiarity else None,
        holdout_keys=_holdout_keys(run / "holdout.npz", len(holdout["pixels"])),
        learnt_keys=_learnt_keys(run / "split.csv"),
        baseline=_baseline(run / BASELINE_NAME),
        no_familiarity=None if familiarity else "the RUN contains none; metrics.json says why",
    )


def _baseline(path: Path) -> Baseline | None:
    """Return how the training photographs look; None for a RUN that does not contain it."""
    try:
        return parse_baseline(read_at_most(path, MOST_BYTES), str(path))
    except FileNotFoundError:
        return None
    except (OSError, BundleError) as problem:
        raise ExportError(f"{path}: damaged ({problem}); train again") from None


def _holdout_keys(path: Path, images: int) -> NDArray[np.uint64] | None:
    """Return the keys of the held-out images; None for a RUN of an older version, which has none."""
    with np.load(path, allow_pickle=False) as file:
        if "keys" not in file:
            return None
        keys: NDArray[np.uint64] = file["keys"]
    if keys.dtype != np.uint64 or keys.shape != (images,):
        raise ExportError(f"{path}: contains {keys.dtype} {keys.shape} as keys of {images} images; train again")
    return keys


def _learnt_keys(path: Path) -> NDArray[np.uint64] | None:
    """Return the keys of the training and validation photographs in split.csv; None if there is no such file."""
    if not path.exists():
        return None
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            digests = [row["sha256"] for row in csv.DictReader(stream) if row["split"] in LEARNT_FROM]
        return keys_of(digests)
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as problem:
        raise ExportError(f"{path}: damaged ({problem}); train again") from None


def _arrays(path: Path, spec: ModelSpec, names: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in names}
    except FileNotFoundError:
        raise ExportError(f"{path}: no such file; edge-train train writes it") from None
    except KeyError as problem:
        raise ExportError(f"{path}: contains no array {problem}; train again") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as problem:
        raise ExportError(f"{path}: damaged ({problem}); train again") from None
    pixels = arrays["pixels"]
    if pixels.dtype != np.uint8 or pixels.shape[1:] != (spec.height, spec.width, 3) or not len(pixels):
        wanted = f"uint8 images of {spec.height}x{spec.width}x3"
        raise ExportError(f"{path}: contains {pixels.dtype} {pixels.shape}, not {wanted} as the spec says")
    return arrays


def _calibration(path: Path, spec: ModelSpec, count: int) -> Pixels:
    arrays = _arrays(path, spec, ("pixels", "labels"))
    return choose(arrays["pixels"], _checked_labels(arrays, spec, path), count, str(path))


def _unseen(path: Path, spec: ModelSpec) -> Pixels | None:
    """Return the validation photographs; None for a RUN of an older version, which does not contain them."""
    pixels: Pixels | None = _arrays(path, spec, ("pixels",))["pixels"] if path.exists() else None
    return pixels


def _checked_labels(arrays: dict[str, NDArray[Any]], spec: ModelSpec, path: Path) -> NDArray[np.int64]:
    labels = arrays["labels"].astype(np.int64)
    if labels.shape != (len(arrays["pixels"]),):
        raise ExportError(f"{path}: {len(labels)} labels for {len(arrays['pixels'])} images; train again")
    if labels.min() < 0 or labels.max() >= len(spec.labels):
        raise ExportError(f"{path}: labels from {labels.min()} to {labels.max()} for {len(spec.labels)} classes")
    return labels


def _check_disjoint(calibration: Pixels, holdout: Pixels, run: Path) -> None:
    seen = {image.tobytes() for image in calibration}
    shared = sum(image.tobytes() in seen for image in holdout)
    if shared:
        raise ExportError(f"{run}: {shared} held-out images are also calibration images; they would prove nothing")


def _open_keras(origin: ModelFile, spec: ModelSpec) -> Any:  # noqa: ANN401 - Keras is not typed
    if not origin.path.is_file():
        raise ExportError(f"{origin.path}: no such file; edge-train train writes it")
    model = open_classifier(origin, len(spec.labels))
    if model.input_shape[1:3] != (spec.height, spec.width):
        raise ExportError(f"{origin.path}: takes images of {model.input_shape}, which contradicts its spec")
    return model
