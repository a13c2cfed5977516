"""Replay a bundle's golden images on this machine and name the first stage that differs from the export."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from edge_runtime.backends.opening import open_backend
from edge_runtime.classify.classifier import runnable_artifact
from edge_runtime.classify.decision import decide
from edge_runtime.errors import BundleError, InferenceError
from edge_runtime.image.preprocess import load_image, to_input
from edge_runtime.model.bundle import Bundle
from edge_runtime.selftest.golden import grid_means, input_digest, output_tolerance, read_golden, read_mistakes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from PIL import Image

    from edge_runtime.backends.interface import Backend
    from edge_runtime.backends.names import BackendName
    from edge_runtime.image.preprocess import Pixels
    from edge_runtime.model.manifest import Artifact
    from edge_runtime.selftest.golden import GoldenImage

Stage = Literal["files", "decode", "colour", "resize", "quantize", "infer", "decide"]
# The outputs match a mistake if they are closer to its outputs than to the expected ones by this factor.
CLOSER_FACTOR = 2.0


@dataclass(frozen=True)
class Difference:
    """The first result that differs from the export's.

    Attributes:
        stage: the stage that differs.
        image: the first golden image, or the file, that differs.
        amount: the largest difference: in levels of 0..255 before the graph, in probability after it; None if it
            cannot be given as a number.
        message: the difference in one line.

    """

    stage: Stage
    image: str
    amount: float | None
    message: str


@dataclass(frozen=True)
class Selftest:
    """The result of a self-test.

    Attributes:
        artifact: the artifact that ran.
        backend: the backend that ran it; None if its file is damaged.
        images: number of replayed golden images.
        difference: the first difference, or None.
        explanation: the common mistake that the outputs match; None if not requested or nothing differs.

    """

    artifact: str
    backend: BackendName | None
    images: int
    difference: Difference | None
    explanation: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        return {"passed": self.difference is None, **asdict(self)}


@dataclass(frozen=True)
class _Replayed:
    """The results for one golden image on this machine."""

    golden: GoldenImage
    decoded: Pixels
    pixels: Pixels
    tensor: str
    probabilities: NDArray[np.float32]


def selftest(
    folder: Path, *, artifact: str | None = None, backend: BackendName | None = None, explain: bool = False
) -> Selftest:
    """Replay the golden images through decode, colour, resize, quantize, infer and decide.

    Args:
        folder: the bundle.
        artifact: an artifact's name; None selects the bundle's default or the first one that a backend can run.
        backend: the runtime; None prefers LiteRT for TFLite files.
        explain: also compare the outputs with those of common mistakes.

    Returns:
        The first difference from the export's results, if there is one. A damaged artifact is a difference too.

    Raises:
        BundleError, SpecError: the manifest or the golden images cannot be read.
        BackendUnavailable: no runtime for the artifact is installed.

    """
    bundle = Bundle.open(folder)
    chosen = bundle.artifact(artifact) if artifact else runnable_artifact(bundle, backend)
    try:
        bundle.check_files()
        opened = open_backend(bundle.read_model(chosen), bundle.spec, backend=backend)
    except (BundleError, InferenceError) as problem:
        return Selftest(chosen.name, None, 0, Difference("files", chosen.file.path, None, str(problem)))
    replayed = [_replay(bundle, opened, golden) for golden in read_golden(bundle)]
    first = next((item for one in replayed for item in _differences(bundle, chosen, one)), None)
    explanation = _explain(bundle, replayed) if explain and first else None
    return Selftest(chosen.name, opened.name, len(replayed), first, explanation)


def _replay(bundle: Bundle, backend: Backend, golden: GoldenImage) -> _Replayed:
    decoded: Image.Image = load_image(bundle.read_file(bundle.files[golden.path]), bundle.spec)
    pixels = to_input(decoded, bundle.spec)
    tensor = input_digest(backend.model_input(pixels[np.newaxis])[0])
    return _Replayed(golden, np.asarray(decoded), pixels, tensor, backend.run(pixels[np.newaxis])[0])


def _differences(bundle: Bundle, artifact: Artifact, one: _Replayed) -> Iterator[Difference]:
    """Yield an image's differences in the order of the stages; a later one may be caused by an earlier one."""
    golden, name = one.golden, artifact.name
    if input_digest(one.decoded) != golden.decoded_sha256:
        yield _decode_difference(one)
    if input_digest(one.pixels) != golden.input_sha256:
        yield _pixel_difference("resize", golden.path, one.pixels, golden.input_grid)
    if one.tensor != golden.tensors[name]:
        message = (
            f"quantize: {golden.path}: the graph's input tensor has another scale or zero point than at the export"
        )
        yield Difference("quantize", golden.path, None, message)
    expected = np.asarray(golden.outputs[name])
    error, tolerance = float(np.abs(one.probabilities - expected).max()), output_tolerance(artifact.precision)
    if not error <= tolerance:  # true for NaN
        message = f"infer: {golden.path}: a probability differs by {error:.3g}, more than {tolerance:.3g}"
        yield Difference("infer", golden.path, error, message)
    label = decide(one.probabilities, bundle.spec).label
    if label != golden.decisions[name] and not _is_close_call(expected, tolerance):
        message = f"decide: {golden.path}: the decision is {label}, but {golden.decisions[name]} at the export"
        yield Difference("decide", golden.path, None, message + "; check the order of the labels")


def _is_close_call(probabilities: NDArray[np.float64], tolerance: float) -> bool:
    """Return whether the tolerance is large enough to exchange the two top classes."""
    second, first = np.sort(probabilities)[-2:]
    return bool(first - second <= 2 * tolerance)


def _decode_difference(one: _Replayed) -> Difference:
    golden = one.golden
    if input_digest(one.decoded[..., ::-1]) == golden.decoded_sha256:
        amount = _amount(one.decoded, golden.decoded_grid)
        return Difference("colour", golden.path, amount, f"colour: {golden.path}: red and blue are swapped (BGR)")
    return _pixel_difference("decode", golden.path, one.decoded, golden.decoded_grid)


def _pixel_difference(stage: Stage, path: str, pixels: Pixels, grid: Sequence[float]) -> Difference:
    amount = _amount(pixels, grid)
    size = "another size" if amount is None else f"the mean of a part differs by up to {amount:.2f} of 255 levels"
    return Difference(stage, path, amount, f"{stage}: {path}: other pixels than at the export, {size}")


def _amount(pixels: Pixels, grid: Sequence[float]) -> float | None:
    """Return the largest difference between the means of parts; None if the image has another size."""
    means = grid_means(pixels)
    return None if len(means) != len(grid) else float(np.abs(np.subtract(means, grid)).max())


def _explain(bundle: Bundle, replayed: Sequence[_Replayed]) -> str:
    """Name the common mistake whose outputs are closest, if they are clearly closer than the expected outputs."""
    outputs = np.array([one.probabilities for one in replayed])
    error = float(np.abs(outputs - np.array([one.golden.reference for one in replayed])).mean())
    distances = {name: float(np.abs(outputs - rows).mean()) for name, rows in read_mistakes(bundle).items()}
    if not distances:
        return "the bundle contains no outputs of mistakes to compare with"
    best = min(distances, key=lambda name: distances[name])
    if distances[best] * CLOSER_FACTOR > error:
        return f"your outputs match no common mistake; they differ from the trained model's by {error:.3g} on average"
    return (
        f"your outputs match this mistake: {best} (they differ from its outputs by {distances[best]:.3g} on average,"
        f" from the expected ones by {error:.3g})"
    )
