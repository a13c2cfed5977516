"""Golden vectors: encoded images with what the export made of them, to be replayed wherever the bundle lands."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge_runtime.errors import BundleError
from edge_runtime.jsonio import expect_keys, read_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge_runtime.bundle import Bundle
    from edge_runtime.preprocess import Pixels

GOLDEN_INDEX = "golden/golden.json"


@dataclass(frozen=True)
class GoldenImage:
    """One encoded image and what it must become.

    Attributes:
        path: relative to the bundle.
        input_sha256: digest of the preprocessed uint8 tensor.
        reference: the trained model's probabilities, (classes,).
        outputs: each artifact's probabilities, (classes,), as the export's runtime gave them.

    """

    path: str
    input_sha256: str
    reference: tuple[float, ...]
    outputs: Mapping[str, tuple[float, ...]]

    def to_json(self) -> dict[str, Any]:
        """Give the JSON object that `read_golden` reads."""
        outputs = {name: list(values) for name, values in self.outputs.items()}
        return {
            "path": self.path,
            "input_sha256": self.input_sha256,
            "reference": list(self.reference),
            "outputs": outputs,
        }


def input_digest(pixels: Pixels) -> str:
    """Give the SHA-256 of a preprocessed tensor, row by row, R G B, as lower-case hexadecimal."""
    return hashlib.sha256(pixels.tobytes()).hexdigest()


def read_golden(bundle: Bundle) -> tuple[GoldenImage, ...]:
    """Read a bundle's golden vectors. Raises BundleError."""
    if GOLDEN_INDEX not in bundle.files:
        raise BundleError(f"{bundle.folder}: its manifest lists no {GOLDEN_INDEX}; export it again")
    path = bundle.checked_path(bundle.files[GOLDEN_INDEX])
    data = read_json(path, BundleError)
    expect_keys(data, ["images"], str(path), BundleError)
    if not isinstance(data["images"], list) or not data["images"]:
        raise BundleError(f"{path}: 'images' must list at least one image")
    return tuple(_golden_image(item, bundle, str(path)) for item in data["images"])


def _golden_image(data: object, bundle: Bundle, where: str) -> GoldenImage:
    if not isinstance(data, dict):
        raise BundleError(f"{where}: an image must be a JSON object, not {data!r}")
    expect_keys(data, ["path", "input_sha256", "reference", "outputs"], where, BundleError)
    if data["path"] not in bundle.files:
        raise BundleError(f"{where}: {data['path']!r} is not among the manifest's files")
    classes = len(bundle.spec.labels)
    rows = [data["reference"], *data["outputs"].values()]
    if any(len(row) != classes for row in rows):
        raise BundleError(f"{where}: {data['path']}: probabilities are not {classes} numbers, one a label")
    outputs = {name: tuple(values) for name, values in data["outputs"].items()}
    return GoldenImage(data["path"], data["input_sha256"], tuple(data["reference"]), outputs)
