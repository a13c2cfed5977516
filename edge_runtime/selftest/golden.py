"""Golden images: encoded images with the export's results for them, which any device can compute again."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_runtime.errors import BundleError
from edge_runtime.storage.digest import sha256_of_bytes
from edge_runtime.storage.json_files import expect_keys, read_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from edge_runtime.image.preprocess import Pixels
    from edge_runtime.model.bundle import Bundle

GOLDEN_INDEX = "golden/golden.json"
GRID = 8
# How much the kernels of another machine or another runtime may change. float32 adds in another order; a quantized
# output changes by a few of its 256 steps.
FLOAT_DRIFT, QUANTIZED_DRIFT = 1e-4, 8 / 256


@dataclass(frozen=True)
class GoldenImage:
    """One encoded image and its expected results, stage by stage.

    Attributes:
        path: relative to the bundle.
        decoded_sha256: digest of the decoded, upright RGB pixels.
        decoded_grid: their mean in each of GRID x GRID parts, row by row, R G B, 0..255.
        input_sha256: digest of the preprocessed uint8 tensor.
        input_grid: its means, as above.
        reference: the trained model's probabilities, (classes,).
        tensors: for each artifact, the digest of the graph's input tensor.
        outputs: for each artifact, its probabilities, (classes,), in the export's runtime.
        decisions: for each artifact, the decided label.

    """

    path: str
    decoded_sha256: str
    decoded_grid: tuple[float, ...]
    input_sha256: str
    input_grid: tuple[float, ...]
    reference: tuple[float, ...]
    tensors: Mapping[str, str]
    outputs: Mapping[str, tuple[float, ...]]
    decisions: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object that `read_golden` reads."""
        return asdict(self)


def input_digest(pixels: Pixels) -> str:
    """Return the SHA-256 of pixels, row by row, R G B, as lower-case hexadecimal."""
    return sha256_of_bytes(np.ascontiguousarray(pixels).tobytes())


def grid_means(pixels: Pixels) -> tuple[float, ...]:
    """Return the mean of each part of an image that is divided into GRID x GRID parts, rounded to a hundredth."""
    rows = np.array_split(pixels.astype(np.float64), min(GRID, len(pixels)))
    parts = [part for row in rows for part in np.array_split(row, min(GRID, row.shape[1]), axis=1)]
    return tuple(float(value) for part in parts for value in part.mean(axis=(0, 1)).round(2))


def allowed_drift(precision: str) -> float:
    """Return the largest difference of a probability that other kernels may cause."""
    return FLOAT_DRIFT if precision == "float32" else QUANTIZED_DRIFT


def read_golden(bundle: Bundle) -> tuple[GoldenImage, ...]:
    """Read a bundle's golden images. Raise BundleError."""
    data, where = _index(bundle)
    if not isinstance(data["images"], list) or not data["images"]:
        raise BundleError(f"{where}: 'images' must list at least one image")
    return tuple(_golden_image(item, bundle, where) for item in data["images"])


def read_mistakes(bundle: Bundle) -> dict[str, NDArray[np.float64]]:
    """Read the trained model's outputs for the golden images with each common preprocessing mistake.

    Returns:
        Probabilities (n_images, n_classes) by the mistake's name.

    Raises:
        BundleError: the golden images are missing or damaged.

    """
    data, where = _index(bundle)
    mistakes = {name: np.asarray(rows, np.float64) for name, rows in data["mistakes"].items()}
    wanted = (len(data["images"]), len(bundle.spec.labels))
    if any(rows.shape != wanted for rows in mistakes.values()):
        raise BundleError(f"{where}: 'mistakes' must contain {wanted[0]} rows of {wanted[1]} numbers each")
    return mistakes


def _index(bundle: Bundle) -> tuple[dict[str, Any], str]:
    if GOLDEN_INDEX not in bundle.files:
        raise BundleError(f"{bundle.folder}: its manifest lists no {GOLDEN_INDEX}; export it again")
    path = bundle.checked_path(bundle.files[GOLDEN_INDEX])
    data = read_json(path, BundleError)
    expect_keys(data, ["images", "mistakes"], str(path), BundleError)
    return data, str(path)


def _golden_image(data: object, bundle: Bundle, where: str) -> GoldenImage:
    if not isinstance(data, dict):
        raise BundleError(f"{where}: an image must be a JSON object, not {data!r}")
    expect_keys(data, [field.name for field in fields(GoldenImage)], where, BundleError)
    if data["path"] not in bundle.files:
        raise BundleError(f"{where}: {data['path']!r} is not among the manifest's files")
    classes = len(bundle.spec.labels)
    if any(len(row) != classes for row in (data["reference"], *data["outputs"].values())):
        raise BundleError(f"{where}: {data['path']}: probabilities are not {classes} numbers, one for each label")
    return GoldenImage(**{**data, "outputs": {name: tuple(row) for name, row in data["outputs"].items()}})
