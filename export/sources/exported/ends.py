"""The input and the output of an exported classifier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from export.errors import ExportError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Layout = Literal["nhwc", "nchw"]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)
# What computes the output: a softmax, a sigmoid, an operator whose values are not limited, a factor or divisor (of
# logits, or the last operation of a softmax that is written as several), or anything else.
LastStep = Literal["softmax", "sigmoid", "linear", "scaled", "other"]
CHANNELS = (3, 1)


@dataclass(frozen=True)
class ModelEnds:
    """A classifier file's input and output.

    Attributes:
        height: of the input.
        width: of the input.
        units: of the output.
        channels: 3, or 1 for a grey model.
        layout: where the input has its channels: "nchw" first, "nhwc" last.
        rank: number of the input's dimensions; 3 if a grey input has none for its channel.
        batch: number of images that the file takes at a time; None if any.
        resized: whether height and width are not in the file and were stated by the user.
        represented: the real values that a quantized input represents, lowest and highest; None for another input.
        input_type: the NumPy name of the input's type.
        output_shape: as the file has it; -1 for a dimension that is not fixed.
        last: the step that computes the output.
        precision: of the computation, one of `edge_runtime.model.manifest.PRECISIONS`.
        min_familiarity: the spec's value that an Edgewise file contains; None if the file computes no familiarity.

    """

    height: int
    width: int
    units: int
    channels: int = 3
    layout: Layout = "nhwc"
    rank: int = 4
    batch: int | None = None
    resized: bool = False
    represented: tuple[float, float] | None = None
    input_type: str = "float32"
    output_shape: tuple[int, ...] = ()
    last: LastStep = "other"
    precision: str = "float32"
    min_familiarity: float | None = None

    @property
    def classes(self) -> int:
        """Return the number of labels; a single probability has two."""
        return max(2, self.units)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Return the input's shape in the file, with its batch, or 1."""
        inner = (self.height, self.width)
        if self.rank == len(("N", "height", "width")):
            return (self.batch or 1, *inner)
        return (self.batch or 1, *((self.channels, *inner) if self.layout == "nchw" else (*inner, self.channels)))


@dataclass(frozen=True)
class StatedShape:
    """What a user states about the shape of the input.

    Attributes:
        size: (height, width), for a file that takes images of any size; None if not stated.
        layout: None if the shape shows it.

    """

    size: tuple[int, int] | None = None
    layout: Layout | None = None


@dataclass(frozen=True)
class InputShape:
    """An input's shape after what the user stated was added; see `ModelEnds` for the attributes."""

    height: int
    width: int
    channels: int
    layout: Layout
    batch: int | None
    resized: bool


def read_input_shape(shape: Sequence[int], stated: StatedShape, path: Path) -> InputShape:
    """Find the batch, the size and the channels in a shape.

    Args:
        shape: of the input, with -1 for each dimension that is not fixed.
        stated: what the user states about it.
        path: the file, for errors.

    Raises:
        ExportError: it is not the shape of RGB or grey images of one size, or contradicts what the user states.

    """
    rank3, rank4 = len(("N", "height", "width")), len(("N", "height", "width", "channels"))
    layout: Layout = "nhwc"
    if len(shape) == rank3:  # such as the 28 by 28 pixels of many tutorials
        batch, channels, sides = shape[0], 1, tuple(shape[1:])
    elif len(shape) == rank4:
        layout = stated.layout or _layout(shape, path)
        channels = shape[1 if layout == "nchw" else 3]
        batch, sides = shape[0], tuple(shape[2:] if layout == "nchw" else shape[1:3])
        channels = 3 if channels == -1 else channels
    else:
        raise ExportError(
            f"{path}: its input has shape {_text(shape)}; a classifier of images takes (N, height, width, 3)"
        )
    if channels not in CHANNELS:
        raise ExportError(f"{path}: its input has shape {_text(shape)}, {channels} channels; it must have 3 (RGB) or 1")
    resized = -1 in sides
    if resized and stated.size is None:
        raise ExportError(
            f"{path}: its input has shape {_text(shape)}, images of any size; pass --image-size with the size of its "
            "training, such as 224 or 240x320 (height x width)"
        )
    if stated.size is not None:
        if any(side not in {-1, wanted} for side, wanted in zip(sides, stated.size, strict=True)):
            raise ExportError(
                f"{path}: its input has shape {_text(shape)}, which contradicts --image-size "
                f"{stated.size[0]}x{stated.size[1]}; leave the option out"
            )
        sides = stated.size
    return InputShape(sides[0], sides[1], channels, layout, None if batch == -1 else batch, resized)


def count_units(shape: Sequence[int], path: Path) -> int:
    """Return the number of scores of each image in an output's shape, with -1 for a dimension that is not fixed.

    Raise ExportError unless at most one dimension after the first has more than one value.
    """
    inner = shape[1:] if len(shape) > 1 else shape
    large = [side for side in inner if side != 1]
    if len(large) > 1 or -1 in large or not shape:
        raise ExportError(
            f"{path}: its output has shape {_text(shape)}; a classifier has one score per class (a segmentation model?)"
        )
    return large[0] if large else 1


def _layout(shape: Sequence[int], path: Path) -> Layout:
    """Return where the channels are: in the only one of the two places where 3 or 1 is possible."""
    first, last = (shape[at] in CHANNELS for at in (1, 3))
    if first != last:
        return "nchw" if first else "nhwc"
    if first:
        raise ExportError(f"{path}: its input has shape {_text(shape)}; pass --layout nchw or nhwc")
    if -1 in (shape[1], shape[3]):
        raise ExportError(f"{path}: its input has shape {_text(shape)}; pass --layout nchw or nhwc, and --image-size")
    raise ExportError(
        f"{path}: its input has shape {_text(shape)}; it must be RGB or grey images, (N, height, width, 3) or (N, 3, "
        "height, width)"
    )


def _text(shape: Sequence[int]) -> str:
    return str(tuple(shape))
