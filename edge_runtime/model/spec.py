"""The spec of a model: the pixels that it takes and the meaning of its outputs."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, get_args

from edge_runtime.errors import SpecError
from edge_runtime.storage.json_files import expect_keys, read_json, write_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ResizeMode = Literal["stretch", "crop", "pad"]
OutputForm = Literal["sigmoid", "softmax"]
Color = Literal["RGB", "gray"]

SPEC_VERSIONS = (1, 2)  # version 1 has no `min_familiarity`
MAX_SIDE = 4096
FAMILIARITY = "min_familiarity"


@dataclass(frozen=True)
class ModelSpec:
    """The input and output of a classifier; `preprocess` and `decide` use only the spec.

    The model takes RGB or grey pixels in 0..255 and contains its own normalisation, so the spec has no mean or scale.

    Attributes:
        height: input height in pixels.
        width: input width in pixels.
        labels: class names in the order of the model's outputs; at least two, distinct, no line breaks.
        output: "softmax", an output of shape (N, classes), or "sigmoid", shape (N, 1): the probability of labels[1].
        resize: "stretch" to the input size, "crop" a centred region of the input's aspect ratio, or "pad" the complete
            image with grey.
        crop_fraction: for "crop", the size of the region relative to the largest one that fits, in (0, 1].
        thresholds: one score in 0..1 for each label; a top class with a lower score is decided as unknown.
        color: channels of the input: "RGB", or "gray" for one channel, which `preprocess` computes from RGB.
        min_familiarity: None if the model's probabilities sum to 1. Otherwise their sum is the familiarity, the
            probability that the image belongs to what the model was trained on, and an image whose familiarity is
            below this value in (0, 1) is decided as unknown.

    """

    height: int
    width: int
    labels: tuple[str, ...]
    output: OutputForm
    resize: ResizeMode = "stretch"
    crop_fraction: float = 0.875
    thresholds: tuple[float, ...] = ()
    color: Color = "RGB"
    min_familiarity: float | None = None

    def __post_init__(self) -> None:
        if not self.thresholds:
            object.__setattr__(self, "thresholds", (0.0,) * len(self.labels))
        _check(self)

    @property
    def channels(self) -> int:
        """Return the number of channels of the input: 3, or 1 if it is grey."""
        return 3 if self.color == "RGB" else 1

    @classmethod
    def from_json(cls, data: Mapping[str, Any], where: str = "spec") -> ModelSpec:
        """Build a spec from a JSON object; `where` names its file in errors. Raise SpecError."""
        version = data.get("version")
        if "version" in data and (type(version) is not int or version not in SPEC_VERSIONS):
            raise SpecError(
                f"{where}: version {version!r} is not {' or '.join(map(str, SPEC_VERSIONS))}, "
                "which this version of edgewise reads"
            )
        names = [field.name for field in fields(cls) if version != 1 or field.name != FAMILIARITY]
        expect_keys(data, ["version", *names], where, SpecError)
        if version != 1 and data[FAMILIARITY] is None:
            raise SpecError(f"{where}: {FAMILIARITY!r} must be a number; a spec without it has version 1")
        values = {name: data[name] for name in names}
        for key in ("labels", "thresholds"):
            if not isinstance(values[key], list):
                raise SpecError(f"{where}: {key!r} must be a list, not {values[key]!r}")
            values[key] = tuple(values[key])
        try:
            return cls(**values)
        except SpecError as problem:
            raise SpecError(f"{where}: {problem}") from None

    @classmethod
    def read(cls, path: Path) -> ModelSpec:
        """Read a spec.json. Raise SpecError."""
        return cls.from_json(read_json(path, SpecError), str(path))

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object that `from_json` reads."""
        lists = {"labels": list(self.labels), "thresholds": list(self.thresholds)}
        values = {"version": 2, **asdict(self), **lists}
        if self.min_familiarity is None:
            values["version"] = 1  # readable by older versions
            del values[FAMILIARITY]
        return values

    def write(self, path: Path) -> None:
        """Write a spec.json."""
        write_json(path, self.to_json())


def _check(spec: ModelSpec) -> None:
    """Raise SpecError, which names the key, unless every value is valid."""
    for key in ("height", "width"):
        value = getattr(spec, key)
        if type(value) is not int or not 1 <= value <= MAX_SIDE:
            raise SpecError(f"{key!r} must be a whole number of pixels from 1 to {MAX_SIDE}, not {value!r}")
    for key, choices in (("output", OutputForm), ("resize", ResizeMode), ("color", Color)):
        if getattr(spec, key) not in get_args(choices):
            raise SpecError(f"{key!r} must be one of {', '.join(get_args(choices))}, not {getattr(spec, key)!r}")
    if not _is_number(spec.crop_fraction) or not 0 < spec.crop_fraction <= 1:
        raise SpecError(f"'crop_fraction' must be above 0 and at most 1, not {spec.crop_fraction!r}")
    _check_labels(spec)
    _check_thresholds(spec)
    _check_familiarity(spec)


def _check_thresholds(spec: ModelSpec) -> None:
    if len(spec.thresholds) != len(spec.labels):
        raise SpecError(f"'thresholds' has {len(spec.thresholds)} values for {len(spec.labels)} labels")
    for threshold in spec.thresholds:
        if not _is_number(threshold) or not 0 <= threshold <= 1:
            raise SpecError(f"'thresholds' must be in 0..1, not {threshold!r}")


def _check_familiarity(spec: ModelSpec) -> None:
    familiarity = spec.min_familiarity
    if familiarity is None:
        return
    if not _is_number(familiarity) or not 0 < familiarity < 1:
        raise SpecError(f"{FAMILIARITY!r} must be above 0 and below 1, not {familiarity!r}")
    if spec.output != "softmax":
        raise SpecError(f"{FAMILIARITY!r} requires the output softmax, not {spec.output!r}")


def _check_labels(spec: ModelSpec) -> None:
    minimum = 2
    if len(spec.labels) < minimum:
        raise SpecError(f"'labels' must name at least two classes, not {list(spec.labels)!r}")
    for label in spec.labels:
        if not isinstance(label, str) or not label.strip() or not label.isprintable():
            raise SpecError(f"'labels' must be printable text, not {label!r}")
    if len(set(spec.labels)) != len(spec.labels):
        twice = sorted({label for label in spec.labels if spec.labels.count(label) > 1})
        raise SpecError(f"'labels' contains {twice[0]!r} twice")
    if spec.output == "sigmoid" and len(spec.labels) != minimum:
        raise SpecError(f"'output' sigmoid requires two labels, not {len(spec.labels)}")


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
