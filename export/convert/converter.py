"""Write artifacts of one model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from edge_runtime.backends.names import BACKENDS_BY_FORMAT, installed, missing
from edge_runtime.errors import BackendUnavailable
from export.artifacts import Candidate
from export.convert.onnx import halve_onnx, quantize_onnx, to_onnx
from export.convert.tflite import Improvement, TflitePrecision, freeze, to_tflite
from export.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from edge_runtime.image.preprocess import Pixels
    from edge_runtime.model.spec import ModelSpec
    from export.artifacts import ArtifactName


class Converter:
    """Write artifacts of one model; intermediate results that several of them need are computed once.

    Attributes:
        model: from float32 pixels 0..255, (N, height, width, 3), to one probability for each label.
        spec: its spec.
        calibration: preprocessed training images, uint8 (N, height, width, 3).
        folder: the destination of the files.
        settings: the settings of the quantized files.
        unseen: photographs in the form of `calibration` that the familiarity was not fitted to; None if there are none.

    """

    def __init__(
        self,
        model: Any,  # noqa: ANN401 - Keras is not typed
        spec: ModelSpec,
        calibration: Pixels,
        folder: Path,
        settings: Settings | None = None,
        *,
        unseen: Pixels | None = None,
    ) -> None:
        self.model = model
        self.spec = spec
        self.calibration = calibration
        self.folder = folder
        self.settings = settings or Settings()
        self.unseen = unseen
        self._frozen: object | None = None

    def write(
        self,
        name: ArtifactName,
        *,
        keep_float: Sequence[str] = (),
        improvements: Collection[Improvement] = (),
    ) -> Candidate:
        """Convert the model and write `model.NAME`.

        Args:
            name: the artifact.
            keep_float: for int8.tflite, the output tensors of the layers that stay in float.
            improvements: for int8.tflite, see `to_tflite`.

        Raises:
            ExportError: a converter refuses the model.
            BackendUnavailable: no runtime that reads the file is installed.

        """
        candidate = planned(name, self.folder)
        if candidate.format == "tflite":
            content = self._tflite(cast("TflitePrecision", candidate.precision), keep_float, improvements)
            candidate.path.write_bytes(content)
        elif candidate.precision == "float32":
            self._write_float_onnx(candidate.path)
        else:
            self._write_small_onnx(candidate)
        return candidate

    def _tflite(
        self, precision: TflitePrecision, keep_float: Sequence[str], improvements: Collection[Improvement]
    ) -> bytes:
        if self._frozen is None:
            self._frozen = freeze(self.model, self.spec)
        return to_tflite(
            self._frozen,
            precision,
            self.calibration,
            spec=self.spec,
            settings=self.settings,
            keep_float=keep_float,
            improvements=improvements,
            unseen=self.unseen,
        )

    def _write_float_onnx(self, path: Path) -> None:
        path.write_bytes(to_onnx(self.model, self.spec).SerializeToString())

    def _write_small_onnx(self, candidate: Candidate) -> None:
        float_path = self.folder / "model.float32.onnx"
        made_for_this = not float_path.exists()
        if made_for_this:
            self._write_float_onnx(float_path)
        try:
            if candidate.precision == "float16":
                halve_onnx(float_path, candidate.path)
            else:
                quantize_onnx(float_path, candidate.path, self.calibration, self.settings, unseen=self.unseen)
        finally:
            if made_for_this:
                float_path.unlink()


def planned(name: ArtifactName, folder: Path) -> Candidate:
    """Return the path of an artifact and the backend that measures it.

    Raise BackendUnavailable if none is installed.
    """
    able = BACKENDS_BY_FORMAT[name.split(".")[1]]
    backends = installed(able)
    if not backends:
        raise BackendUnavailable(f"{name} cannot be proved: {missing(able[0])}")
    return Candidate(name, folder / f"model.{name}", backends[0])
