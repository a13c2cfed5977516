"""Golden images: encoded images and the results that the export computed for them, stage by stage."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_runtime.errors import BundleError
from edge_runtime.storage.digest import sha256_of_bytes
from edge_runtime.storage.json_files import expect_keys, parse_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from edge_runtime.image.preprocess import Pixels
    from edge_runtime.model.bundle import Bundle

GOLDEN_INDEX = "golden/golden.json"
GRID = 8
# The kernels of another processor or runtime may change a probability by this much: float32 sums in another order, a
# quantized output changes by a few of its 256 steps.
FLOAT_TOLERANCE, QUANTIZED_TOLERANCE = 1e-4, 8 / 256


@dataclass(frozen=True)
class GoldenImage:
    """One encoded image and its expected results, stage by stage.

    Attributes:
        path: relative to the bundle.
        decoded_sha256: digest of the decoded, upright RGB pixels.
        decoded_grid: their means over GRID x GRID parts, row by row, R G B, in 0..255.
        input_sha256: digest of the preprocessed uint8 tensor.
        input_grid: its means over the same parts.
        reference: the trained model's probabilities, shape (classes,).
        tensors: for each artifact, the digest of the graph's input tensor.
        outputs: for each artifact, its probabilities in the export's runtime, shape (classes,).
        decisions: for each artifact, the decided label or "unknown".

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
    """Return the SHA-256 of pixels of shape (h, w, 3), row by row, R G B, as lower-case hexadecimal."""
    return sha256_of_bytes(np.ascontiguousarray(pixels).tobytes())


def grid_means(pixels: Pixels) -> tuple[float, ...]:
    """Return the mean R, G, B of each of GRID x GRID parts of an image (h, w, 3), rounded to a hundredth."""
    rows = np.array_split(pixels.astype(np.float64), min(GRID, len(pixels)))
    parts = [part for row in rows for part in np.array_split(row, min(GRID, row.shape[1]), axis=1)]
    return tuple(float(value) for part in parts for value in part.mean(axis=(0, 1)).round(2))


def output_tolerance(precision: str) -> float:
    """Return the largest difference of a probability, in 0..1, that other kernels may cause."""
    return FLOAT_TOLERANCE if precision == "float32" else QUANTIZED_TOLERANCE


def read_golden(bundle: Bundle) -> tuple[GoldenImage, ...]:
    """Read a bundle's golden images. Raise BundleError if they are missing or damaged."""
    data, where = _index(bundle)
    return tuple(_golden_image(item, bundle, where) for item in data["images"])


def read_mistakes(bundle: Bundle) -> dict[str, NDArray[np.float64]]:
    """Read the trained model's outputs for the golden images with each common preprocessing mistake.

    Returns:
        For the name of each mistake, probabilities of shape (images, classes).

    Raises:
        BundleError: the golden images are missing or damaged.

    """
    data, where = _index(bundle)
    images, classes = len(data["images"]), len(bundle.spec.labels)
    for rows in data["mistakes"].values():
        if not isinstance(rows, list) or len(rows) != images:
            raise BundleError(f"{where}: each of 'mistakes' must be a list of {images} rows")
        for row in rows:
            _require_numbers(row, classes, f"{where}: each row of 'mistakes'")
    return {name: np.asarray(rows, np.float64) for name, rows in data["mistakes"].items()}


def _index(bundle: Bundle) -> tuple[dict[str, Any], str]:
    if GOLDEN_INDEX not in bundle.files:
        raise BundleError(f"{bundle.folder}: its manifest does not list {GOLDEN_INDEX}; export it again")
    where = str(bundle.folder / GOLDEN_INDEX)
    data = parse_json(bundle.read_file(bundle.files[GOLDEN_INDEX]), where, BundleError)
    expect_keys(data, ["images", "mistakes"], where, BundleError)
    if not isinstance(data["images"], list) or not data["images"]:
        raise BundleError(f"{where}: 'images' must list at least one image")
    if not isinstance(data["mistakes"], dict):
        raise BundleError(f"{where}: 'mistakes' must be a JSON object")
    return data, where


def _golden_image(data: object, bundle: Bundle, where: str) -> GoldenImage:
    if not isinstance(data, dict):
        raise BundleError(f"{where}: an image must be a JSON object, not {data!r}")
    expect_keys(data, [field.name for field in fields(GoldenImage)], where, BundleError)
    path = data["path"]
    if not isinstance(path, str) or path not in bundle.files:
        raise BundleError(f"{where}: {path!r} is not among the manifest's files")
    for key in ("decoded_sha256", "input_sha256"):
        if not isinstance(data[key], str):
            raise BundleError(f"{where}: {path}: {key!r} must be a text, not {data[key]!r}")
    for key in ("decoded_grid", "input_grid"):
        _require_numbers(data[key], None, f"{where}: {path}: {key!r}")
    for key in ("tensors", "outputs", "decisions"):
        if not isinstance(data[key], dict) or not set(bundle.artifacts) <= set(data[key]):
            raise BundleError(f"{where}: {path}: {key!r} does not contain every artifact; export the bundle again")
    classes = len(bundle.spec.labels)
    for row in (data["reference"], *data["outputs"].values()):
        _require_numbers(row, classes, f"{where}: {path}: each list of probabilities")
    return GoldenImage(**{**data, "outputs": {name: tuple(row) for name, row in data["outputs"].items()}})


def _require_numbers(row: object, count: int | None, what: str) -> None:
    """Raise BundleError unless `row` is a list of numbers, of the given count if one is given."""
    if not isinstance(row, list) or not all(type(value) in {int, float} for value in row):
        raise BundleError(f"{what} must be a list of numbers")
    if count is not None and len(row) != count:
        raise BundleError(f"{what} must contain {count} numbers, one for each label")
