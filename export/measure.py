"""Write each artifact and measure the written file, in the runtimes of devices, against the trained model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast, get_args

from edge_runtime.backends import BACKENDS_BY_FORMAT, installed, missing
from edge_runtime.errors import BackendUnavailable
from export.device import run_on_device
from export.errors import ExportError, ParityError
from export.parity import Parity, compare
from export.to_onnx import quantize_onnx, to_onnx
from export.to_tflite import TflitePrecision, freeze, to_tflite

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from edge_runtime.backends import BackendName
    from export.source_model import SourceModel

ArtifactName = Literal["float32.tflite", "float16.tflite", "dynamic.tflite", "int8.tflite", "float32.onnx", "int8.onnx"]
ARTIFACT_NAMES: tuple[ArtifactName, ...] = get_args(ArtifactName)
# Beside the preferred runtime, every file is run in the others on this many images; tflite-runtime's int8 kernels
# take twenty times as long on x86-64.
OTHER_RUNTIME_IMAGES = 64


@dataclass(frozen=True)
class Candidate:
    """A written file that has yet to prove itself.

    Attributes:
        name: such as "int8.tflite".
        path: the file.
        backend: the runtime that measures it, the one that a device would choose.

    """

    name: ArtifactName
    path: Path
    backend: BackendName

    @property
    def precision(self) -> str:
        """Its precision, such as "int8"."""
        return self.name.split(".")[0]

    @property
    def format(self) -> str:
        """Its format, "tflite" or "onnx"."""
        return self.name.split(".")[1]


@dataclass(frozen=True)
class Measured:
    """What a candidate showed.

    Attributes:
        candidate: the file.
        parity: on all held-out images, in the candidate's own backend.
        elsewhere: on the first of them, by the name of each other installed backend.
        latency_ms: median time of one image in the backend, one thread, on this machine.

    """

    candidate: Candidate
    parity: Parity
    elsewhere: dict[BackendName, Parity]
    latency_ms: float


class Converter:
    """Writes artifacts of one model; what several of them need is made once.

    Attributes:
        source: the model and its images.
        folder: where the files go.

    """

    def __init__(self, source: SourceModel, folder: Path) -> None:
        self.source = source
        self.folder = folder
        self._frozen: object | None = None

    def write(self, name: ArtifactName) -> Candidate:
        """Convert the model and write `model.NAME`. Raises ExportError or BackendUnavailable."""
        precision, file_format = name.split(".")
        backends = installed(BACKENDS_BY_FORMAT[file_format])
        if not backends:
            raise BackendUnavailable(f"{name} cannot be proved: {missing(BACKENDS_BY_FORMAT[file_format][0])}")
        path = self.folder / f"model.{name}"
        if file_format == "tflite":
            path.write_bytes(self._tflite(cast("TflitePrecision", precision)))
        elif precision == "int8":
            self._write_int8_onnx(path)
        else:
            self._write_float_onnx(path)
        return Candidate(name, path, backends[0])

    def _tflite(self, precision: TflitePrecision) -> bytes:
        if self._frozen is None:
            self._frozen = freeze(self.source.model, self.source.spec)
        return to_tflite(self._frozen, precision, self.source.calibration)

    def _write_float_onnx(self, path: Path) -> None:
        path.write_bytes(to_onnx(self.source.model, self.source.spec).SerializeToString())

    def _write_int8_onnx(self, path: Path) -> None:
        float_path = self.folder / "model.float32.onnx"
        made_for_this = not float_path.exists()
        if made_for_this:
            self._write_float_onnx(float_path)
        quantize_onnx(float_path, path, self.source.calibration)
        if made_for_this:
            float_path.unlink()


def measure(candidate: Candidate, source: SourceModel, reference: NDArray) -> Measured:  # type: ignore[type-arg]
    """Run a written file on the held-out images and compare it with the trained model's probabilities.

    Args:
        candidate: the file.
        source: the held-out images and their labels.
        reference: the trained model's probabilities on them, float32 (n_images, n_classes).

    Raises:
        ExportError: a runtime does not load the file or fails on it.
        ParityError: its outputs cannot be compared.

    """
    device = run_on_device(candidate.path, source.spec, source.holdout, candidate.backend)
    elsewhere: dict[BackendName, Parity] = {}
    for backend in _others(candidate):
        part = slice(0, OTHER_RUNTIME_IMAGES)
        run = run_on_device(candidate.path, source.spec, source.holdout[part], backend)
        elsewhere[backend] = _compare(candidate, reference[part], run.probabilities, source, part)
    parity = _compare(candidate, reference, device.probabilities, source, slice(None))
    return Measured(candidate, parity, elsewhere, device.latency_ms)


def _others(candidate: Candidate) -> Sequence[BackendName]:
    return [name for name in installed(BACKENDS_BY_FORMAT[candidate.format]) if name != candidate.backend]


def _compare(candidate: Candidate, reference: NDArray, found: NDArray, source: SourceModel, part: slice) -> Parity:  # type: ignore[type-arg]
    try:
        return compare(reference, found, source.holdout_labels[part])
    except ParityError as problem:
        raise ParityError(f"{candidate.name}: {problem}") from None
    except ValueError as problem:
        raise ExportError(f"{candidate.name}: {problem}") from None
