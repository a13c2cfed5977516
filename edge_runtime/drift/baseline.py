"""How the training photographs looked: the baseline with which a device compares what it sees."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_runtime.drift.looks import Look, look_of
from edge_runtime.errors import BundleError
from edge_runtime.storage.json_files import expect_keys, parse_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from edge_runtime.image.preprocess import Pixels
    from edge_runtime.model.bundle import Bundle

BASELINE_NAME = "drift.json"
BASELINE_VERSION = 1
STATISTICS = Look._fields
PARTS = (0.005, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.995)
MIDDLE = PARTS.index(0.5)
FEWEST_PHOTOGRAPHS = 20
BEYOND = 0.25  # of the distance from the median to the outermost quantile
MOST_BYTES = 1 << 20
KEYS = ("version", "photographs", "unfamiliar", "classes", "quantiles")


@dataclass(frozen=True)
class Baseline:
    """How the training photographs looked.

    Attributes:
        photographs: number of photographs.
        quantiles: of each of STATISTICS, float64 of shape (PARTS, statistics), for the parts in PARTS.
        unfamiliar: fraction of photographs of the classes that the model decides as unfamiliar, 0..1; None if it
            computes no familiarity.
        classes: the fraction of each class among the photographs, by label.

    """

    photographs: int
    quantiles: NDArray[np.float64]
    unfamiliar: float | None
    classes: Mapping[str, float]

    def positions(self, look: Look) -> NDArray[np.float64]:
        """Return the fraction of training photographs with a lower value, 0..1, for each of STATISTICS."""
        return np.array(
            [np.interp(value, self.quantiles[:, index], PARTS, left=0.0, right=1.0) for index, value in enumerate(look)]
        )

    def beyond(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the values below and above which no photograph of the training kind is expected."""
        low, middle, high = self.quantiles[0], self.quantiles[MIDDLE], self.quantiles[-1]
        return low - BEYOND * (middle - low), high + BEYOND * (high - middle)

    def variances(self) -> NDArray[np.float64]:
        """Return the variance of each statistic, from the distance of its 10% and 90% quantiles."""
        low, high = (self.quantiles[PARTS.index(part)] for part in (0.1, 0.9))
        variances: NDArray[np.float64] = np.maximum(((high - low) / 2.563) ** 2, 1e-12)
        return variances

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object that `parse_baseline` reads."""
        rounded = {
            name: [float(f"{value:.5g}") for value in self.quantiles[:, index]] for index, name in enumerate(STATISTICS)
        }
        return {
            "version": BASELINE_VERSION,
            "photographs": self.photographs,
            "unfamiliar": None if self.unfamiliar is None else round(self.unfamiliar, 4),
            "classes": {label: round(share, 4) for label, share in self.classes.items()},
            "quantiles": rounded,
        }


def fit_baseline(pictures: Iterable[Pixels], classes: Mapping[str, float], unfamiliar: float | None) -> Baseline | None:
    """Return the baseline of training photographs; None if they are too few.

    Args:
        pictures: model inputs, each uint8 of shape (height, width, 3).
        classes: as in `Baseline`.
        unfamiliar: as in `Baseline`.

    """
    looks = np.array([look_of(picture) for picture in pictures])
    if len(looks) < FEWEST_PHOTOGRAPHS:
        return None
    return Baseline(len(looks), np.quantile(looks, PARTS, axis=0), unfamiliar, dict(classes))


def read_baseline(bundle: Bundle) -> Baseline | None:
    """Return a bundle's baseline; None if it does not contain one. Raise BundleError if it is damaged."""
    file = bundle.files.get(BASELINE_NAME)
    if file is None:
        return None
    where = str(bundle.folder / file.path)
    if file.size_bytes > MOST_BYTES:
        raise BundleError(f"{where}: more than {MOST_BYTES} bytes, so it is not a baseline; export the bundle again")
    return parse_baseline(bundle.read_file(file), where)


def parse_baseline(content: bytes, where: str) -> Baseline:
    """Parse drift.json; `where` names it in errors. Raise BundleError."""
    data = parse_json(content, where, BundleError)
    expect_keys(data, KEYS, where, BundleError)
    if data["version"] != BASELINE_VERSION:
        raise BundleError(f"{where}: version {data['version']!r} is not {BASELINE_VERSION}, which this version reads")
    quantiles, classes, unfamiliar = data["quantiles"], data["classes"], data["unfamiliar"]
    if not isinstance(quantiles, dict) or tuple(quantiles) != STATISTICS:
        raise BundleError(f"{where}: 'quantiles' must have the keys {', '.join(STATISTICS)}")
    columns = [_ascending(quantiles[name], f"{where}: {name}") for name in STATISTICS]
    if not isinstance(classes, dict) or not all(_is_share(share) for share in classes.values()):
        raise BundleError(f"{where}: 'classes' must be a JSON object of fractions")
    if unfamiliar is not None and not _is_share(unfamiliar):
        raise BundleError(f"{where}: 'unfamiliar' must be null or a fraction, not {unfamiliar!r}")
    if type(data["photographs"]) is not int or data["photographs"] < 1:
        raise BundleError(f"{where}: 'photographs' must be a count, not {data['photographs']!r}")
    return Baseline(data["photographs"], np.array(columns).T, unfamiliar, classes)


def _ascending(values: object, where: str) -> list[float]:
    numbers = isinstance(values, list) and len(values) == len(PARTS) and all(_is_number(value) for value in values)
    if not isinstance(values, list) or not numbers or sorted(values) != values:
        raise BundleError(f"{where}: must be {len(PARTS)} numbers in ascending order")
    return [float(value) for value in values]


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_share(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1
