"""Verify a bundle with its own contents: digests, loading, and its golden images in every installed runtime."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge_runtime.backends.names import BACKENDS_BY_FORMAT, BackendName, default_threads, installed
from edge_runtime.errors import BundleError
from edge_runtime.image.preprocess import preprocess
from edge_runtime.model.bundle import Bundle
from edge_runtime.selftest.golden import GoldenImage, input_digest, output_tolerance, read_golden
from export.errors import ParityError
from export.runtimes.process import run_on_device

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge_runtime.image.preprocess import Pixels
    from edge_runtime.model.manifest import Artifact


@dataclass(frozen=True)
class Verified:
    """The result of replaying the golden images with one artifact in one backend.

    Attributes:
        artifact: its name.
        backend: the runtime.
        images: number of golden images.
        drift: largest difference of a probability from the recorded output.
        reference_agreement: fraction of images with the trained model's top class, 0..1.

    """

    artifact: str
    backend: BackendName
    images: int
    drift: float
    reference_agreement: float


def verify_bundle(folder: Path, progress: Callable[[str], None] = lambda _: None) -> list[Verified]:
    """Verify a bundle.

    Args:
        folder: the bundle.
        progress: called with a line for each artifact and runtime.

    Raises:
        BundleError, SpecError: a file is missing, changed or unreadable.
        ParityError: a preprocessed image or an artifact's output differs from the export's.
        ExportError: a runtime refuses a file.

    """
    bundle = Bundle.open(folder)
    bundle.check_files()
    golden = read_golden(bundle)
    pixels = np.stack([_replayed_input(bundle, image) for image in golden])
    pairs = [
        (artifact, backend)
        for artifact in bundle.artifacts.values()
        for backend in installed(BACKENDS_BY_FORMAT[artifact.format])
    ]
    with ThreadPoolExecutor(default_threads()) as pool:  # each waits for its own process
        found = []
        for verified in pool.map(lambda pair: _replay(bundle, pair[0], pair[1], golden, pixels), pairs):
            found.append(verified)
            progress(f"  {verified.artifact} in {verified.backend} ({len(found)} of {len(pairs)})")
    if not found:
        raise ParityError(f"{folder}: no runtime is installed; install one with: pip install 'edgewise[export]'")
    return found


def _replayed_input(bundle: Bundle, image: GoldenImage) -> Pixels:
    pixels = preprocess(bundle.read_file(bundle.files[image.path]), bundle.spec)
    if input_digest(pixels) != image.input_sha256:
        raise ParityError(
            f"{bundle.folder / image.path}: preprocessed to other pixels than at the export; check Pillow's version"
        )
    return pixels


def _replay(
    bundle: Bundle, artifact: Artifact, backend: BackendName, golden: tuple[GoldenImage, ...], pixels: Pixels
) -> Verified:
    where = f"{bundle.folder / artifact.file.path} in {backend}"
    if any(artifact.name not in image.outputs for image in golden):
        raise BundleError(f"{bundle.folder}: golden vectors lack {artifact.name}; export it again")
    recorded = np.array([image.outputs[artifact.name] for image in golden])
    reference = np.array([image.reference for image in golden])
    outputs = run_on_device(bundle.folder / artifact.file.path, bundle.spec, pixels, backend).probabilities
    drift = float(np.abs(outputs - recorded).max())
    allowed = output_tolerance(artifact.precision)
    if not drift <= allowed:  # NaN too
        raise ParityError(f"{where}: a probability differs by {drift:.3g} from the export's, over {allowed:g}")
    agreement = float(np.mean(outputs.argmax(axis=1) == reference.argmax(axis=1)))
    if agreement < float(np.mean(recorded.argmax(axis=1) == reference.argmax(axis=1))):
        raise ParityError(f"{where}: fewer golden images have the trained model's class than at the export")
    return Verified(artifact.name, backend, len(golden), drift, agreement)
