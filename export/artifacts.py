"""The artifacts that an export can write, by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from pathlib import Path

    from edge_runtime.backends.names import BackendName

StandardName = Literal["float32.tflite", "float16.tflite", "dynamic.tflite", "int8.tflite", "float32.onnx", "int8.onnx"]
# Written only on request: int16x8 has no fast kernels on CPUs, and ONNX Runtime's CPU kernels convert float16 to
# float32.
ArtifactName = Literal[StandardName, "int16x8.tflite", "float16.onnx"]
ARTIFACT_NAMES: tuple[StandardName, ...] = get_args(StandardName)
# Optional in a bundle: for some models they change too many decisions, and another artifact is as small.
EXPENDABLE: tuple[ArtifactName, ...] = ("dynamic.tflite", "int16x8.tflite", "int8.onnx")
ALL_NAMES: tuple[ArtifactName, ...] = get_args(ArtifactName)


@dataclass(frozen=True)
class Candidate:
    """A written file that is not proved yet.

    Attributes:
        name: such as "int8.tflite".
        path: the file.
        backend: the runtime that measures it, which a device would choose.

    """

    name: ArtifactName
    path: Path
    backend: BackendName

    @property
    def precision(self) -> str:
        """Return its precision, such as "int8"."""
        return self.name.split(".")[0]

    @property
    def format(self) -> str:
        """Return its format, "tflite" or "onnx"."""
        return self.name.split(".")[1]
