"""The networks that a search compares, and what each of them costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from trainer.options import ModelName

# Estimates of the size of an int8 file, which only order the candidates: bytes per parameter, bytes per feature for the
# familiarity (24 directions in float32), and the rest.
BYTES_PER_PARAMETER, BYTES_PER_FEATURE, OTHER_BYTES = 1.05, 96, 60_000


class Candidate(NamedTuple):
    """A network.

    Attributes:
        model: its name, as for `edge-train train --model`.
        image_size: width and height of its input in pixels.
        cut: the name of its last layer that is used; empty for the whole network.

    """

    model: ModelName
    image_size: int
    cut: str = ""

    @property
    def name(self) -> str:
        """Return a name for people and for folders, such as mobilenet_v2-128-block_13_expand_relu."""
        return "-".join([self.model, str(self.image_size), *([self.cut] if self.cut else [])])


class Screened(NamedTuple):
    """A candidate with its costs, and its accuracy if that was estimated.

    Attributes:
        candidate: the network.
        multiply_adds: of one image.
        parameters: of the network without its head.
        features: number of values from which the head decides.
        accuracy: of a linear head in cross-validation, 0..1; None if the network has no pretrained weights.

    """

    candidate: Candidate
    multiply_adds: int
    parameters: int
    features: int
    accuracy: float | None

    @property
    def estimated_kb(self) -> float:
        """Return a rough estimate of the size of the int8 file in kB."""
        own = self.parameters * BYTES_PER_PARAMETER + self.features * BYTES_PER_FEATURE
        return (own + OTHER_BYTES) / 1000


class Trial(NamedTuple):
    """A candidate that was trained and exported.

    Attributes:
        name: of the candidate.
        accuracy: of the RUN on the test photographs, 0..1.
        interval: its 95% interval.
        validation: accuracy on the validation photographs, 0..1.
        kb: size of int8.tflite in kB; None if the export failed.
        ms: its median time for one image in milliseconds; None if the export failed.
        agreement: fraction of the test photographs to which int8.tflite gives the class of the RUN; None the same.
        seconds: that training and export took.
        problem: why the export failed; empty if it did not.

    """

    name: str
    accuracy: float
    interval: tuple[float, float]
    validation: float
    kb: float | None
    ms: float | None
    agreement: float | None
    seconds: float
    problem: str


class Budget(NamedTuple):
    """The limits of a device.

    Attributes:
        ms: time for one image in milliseconds; None for no limit.
        kb: size of the file in kB; None for no limit.

    """

    ms: float | None
    kb: float | None

    def allows(self, trial: Trial) -> bool:
        """Return whether an exported candidate is within the limits."""
        if trial.kb is None or trial.ms is None:
            return False
        return (self.ms is None or trial.ms <= self.ms) and (self.kb is None or trial.kb <= self.kb)
