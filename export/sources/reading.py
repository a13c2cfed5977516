"""The meaning of a model's input: how its values are computed from pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from export.errors import ExportError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge_runtime.image.preprocess import Pixels

InputRange = Literal["-1..1", "0..1", "0..255"]
INPUT_RANGES: tuple[InputRange, ...] = get_args(InputRange)
Normalization = Literal["imagenet", "caffe", "inception", "clip", "torch", "tf"]
NORMALIZATIONS: tuple[Normalization, ...] = get_args(Normalization)
WHITE = 255.0
COLOURS = 3


@dataclass(frozen=True)
class Reading:
    """How a model's input is computed from RGB pixels: value = (pixel - mean) / std, for each channel.

    Attributes:
        name: for messages, such as "-1..1" or "imagenet".
        mean: one number for all channels or one for each, in the order in which the model takes them; on 0..255.
        std: the same for the divisor; above 0, on 0..255.
        bgr: whether the model takes blue first.

    """

    name: str
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    bgr: bool = False

    @property
    def channels(self) -> int:
        """Return the number of channels for which it is meant; 1 if it is the same for all."""
        return 3 if self.bgr else max(len(self.mean), len(self.std))

    @property
    def scale(self) -> NDArray[np.float64]:
        """Return the factor of value = pixel * scale + offset, shape (1,) or (3,)."""
        return 1 / np.asarray(self.std, np.float64)

    @property
    def offset(self) -> NDArray[np.float64]:
        """Return the offset of value = pixel * scale + offset, shape (1,) or (3,)."""
        return -np.asarray(self.mean, np.float64) / np.asarray(self.std, np.float64)

    @property
    def limits(self) -> tuple[float, float]:
        """Return the smallest and the largest value that a pixel can have."""
        return float(self.offset.min()), float((WHITE * self.scale + self.offset).max())

    @property
    def is_pixels(self) -> bool:
        """Return whether the model takes RGB pixels in 0..255 as they are."""
        return not self.bgr and not np.any(self.offset) and bool(np.all(self.scale == 1))

    def apply(self, pixels: Pixels) -> NDArray[np.float32]:
        """Compute the input for pixels, uint8 of shape (N, height, width, channels): float32 of the same shape."""
        ordered = pixels[..., ::-1] if self.bgr else pixels
        return (ordered * self.scale + self.offset).astype(np.float32)

    def same_values(self, other: Reading) -> bool:
        """Return whether another reading computes the same values, within what float32 can show."""
        pairs = ((self.scale * WHITE, other.scale * WHITE), (self.offset, other.offset))
        return self.bgr == other.bgr and all(np.allclose(mine, its, rtol=1e-3, atol=1e-3) for mine, its in pairs)

    def reversed(self) -> Reading:
        """Return the reading with the other order of channels; each colour keeps its mean and std."""
        added, removed = (" RGB", " BGR") if self.bgr else (" BGR", " RGB")
        name = self.name.removesuffix(removed) if self.name.endswith(removed) else self.name + added
        return Reading(name, self.mean[::-1], self.std[::-1], not self.bgr)


RANGES: dict[InputRange, Reading] = {
    "-1..1": Reading("-1..1", (127.5,), (127.5,)),
    "0..1": Reading("0..1", (0.0,), (255.0,)),
    "0..255": Reading("0..255"),
}
_IMAGENET = Reading("imagenet", (123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
# torchvision and timm use these numbers, divided by 255; Keras has three modes, "caffe", "tf" and "torch".
# https://github.com/keras-team/keras/blob/master/keras/src/applications/imagenet_utils.py
# https://github.com/huggingface/pytorch-image-models/blob/main/timm/data/constants.py
PRESETS: dict[Normalization, Reading] = {
    "imagenet": _IMAGENET,
    "torch": _IMAGENET,
    "caffe": Reading("caffe", (103.939, 116.779, 123.68), bgr=True),
    "inception": RANGES["-1..1"],
    "tf": RANGES["-1..1"],
    "clip": Reading("clip", (122.7709383, 116.7460125, 104.09373615), (68.5005327, 66.6321579, 70.32316305)),
}


@dataclass(frozen=True)
class StatedInput:
    """What a user states about the input of a model; all of it may be missing.

    Attributes:
        input_range: the range of the values; with `mean` or `std`, of the pixels from which the mean is subtracted.
        mean: one number or one for each channel, in the model's order of channels; None if not stated.
        std: the same for the divisor.
        bgr: whether the model takes blue first.
        normalization: a name from NORMALIZATIONS, which replaces the range, mean and std.

    """

    input_range: InputRange | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    bgr: bool = False
    normalization: Normalization | None = None

    def reading(self) -> Reading | None:
        """Return the stated reading, or None if its range is not stated.

        Raises:
            ExportError: the options contradict each other, or numbers are missing.

        """
        if self.normalization is not None:
            if self.input_range or self.mean or self.std:
                raise ExportError(
                    f"--normalization {self.normalization} states range, mean and std; leave out --input-range, --mean "
                    "and --std"
                )
            preset = PRESETS[self.normalization]
            return preset.reversed() if self.bgr and not preset.bgr else preset
        if self.mean is not None or self.std is not None:
            return self._of_numbers()
        if self.input_range is None:
            return None
        return RANGES[self.input_range].reversed() if self.bgr else RANGES[self.input_range]

    def _of_numbers(self) -> Reading:
        mean, std = self.mean or (0.0,), self.std or (1.0,)
        for option, values in (("--mean", mean), ("--std", std)):
            if len(values) not in {1, COLOURS} or not all(map(math.isfinite, values)):
                raise ExportError(f"{option}: must be one number or three, one for each channel, not {_text(values)}")
        if min(std) <= 0:
            raise ExportError(f"--std: must be above 0, not {_text(std)}")
        if self.input_range is None or self.input_range == "-1..1":
            raise ExportError(
                "--mean and --std need --input-range: 0..1 if they apply to pixels divided by 255, as torchvision's, "
                "or 0..255 if they apply to pixels"
            )
        unit = WHITE if self.input_range == "0..1" else 1.0
        name = f"mean {_text(mean)} and std {_text(std)} of {self.input_range}{' BGR' if self.bgr else ''}"
        return Reading(name, tuple(value * unit for value in mean), tuple(value * unit for value in std), self.bgr)


def matches_limits(reading: Reading, represented: tuple[float, float]) -> bool:
    """Return whether a quantized input that represents a range of real values can have a reading.

    A calibration with dim images gives an input that ends below the reading's upper end, but it begins at its lower
    end, because nearly every photograph has dark pixels.

    Args:
        reading: the reading.
        represented: the smallest and the largest real value of the quantized input.

    """
    (low, high), (found_low, found_high) = reading.limits, represented
    width = high - low
    return abs(found_low - low) <= LOW_END * width and SHORT_END * width <= found_high - low <= LONG_END * width


# Fractions of a reading's width. The slack at the upper end covers scales that are rounded or chosen as powers of two.
LOW_END, SHORT_END, LONG_END = 0.2, 0.4, 1.1


def known_readings(channels: int = COLOURS) -> list[Reading]:
    """Return the readings that are common in practice, the most frequent ones first.

    Args:
        channels: of the model's input; a grey one has neither an order of channels nor a mean of each.

    """
    uniform = [RANGES[name] for name in INPUT_RANGES]
    if channels == 1:
        return uniform
    colours = [*uniform, PRESETS["imagenet"], PRESETS["caffe"]]
    return [*colours, *(reading.reversed() for reading in colours)]


def _text(values: Sequence[float]) -> str:
    return ",".join(f"{value:g}" for value in values)
