"""When something counts as different from the training."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from edge_runtime.drift.baseline import STATISTICS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge_runtime.drift.reasons import ReasonName
    from edge_runtime.drift.window import Compared

SHIFT = 0.2  # smallest change of a mean position, 0..1, that counts; 0.5 is as in training
CERTAIN = 4.5  # standard deviations: once in 150,000 windows by chance
TAIL = 0.1  # positions that 10% of the training photographs have
ALL = 0.95  # fraction of the samples
MORE_UNFAMILIAR = 0.25
COVERED = 0.5  # contrast relative to the lowest one in training
USUAL_WINDOWS = 6  # windows of a camera's own past, before it is used
DAY_WINDOWS = 180  # windows of a day, after which its past contains day and night
SMALL_SHIFT = 0.12  # of the hue, that counts if it differs from both the training and the camera's own past
VARIED = 30  # independent pictures in a window, with which the pictures vary
HUES = ("redness", "yellowness")
HUES_CERTAIN = 5.5  # standard deviations of both together, which are correlated
# A statistic's reasons if it is lower, and if it is higher.
DIRECTIONS: dict[str, tuple[ReasonName | None, ReasonName | None]] = {
    "brightness": ("darker", "brighter"),
    "contrast": ("contrast", None),
    "sharpness": ("blurred", None),
    "colourfulness": ("colourless", None),
    "redness": ("colours", "colours"),
    "yellowness": ("colours", "colours"),
}
# What a reason explains, so that it is not reported as well.
EXPLAINS: dict[ReasonName, tuple[ReasonName, ...]] = {
    "covered": ("darker", "brighter", "blurred", "colours", "colourless", "contrast", "moved"),
    "darker": ("contrast",),
    "brighter": ("contrast",),
    "blurred": ("contrast",),
    "colours": ("contrast",),
    "colourless": ("contrast", "colours"),
}
NEARLY_ALL = 0.5  # fraction of the explained shift that the explaining one has at least
NEARLY = 0.1  # a smaller shift of the explaining statistic is enough while a window still contains older samples


class Usual(NamedTuple):
    """A camera's own past: mean and variance of the mean positions of earlier windows.

    Attributes:
        windows: their number.
        mean: of each statistic.
        variance: of each statistic.

    """

    windows: int = 0
    mean: tuple[float, ...] = (0.5,) * len(STATISTICS)
    variance: tuple[float, ...] = (0.0,) * len(STATISTICS)

    def with_window(self, position: Sequence[float], slowest: float) -> Usual:
        """Return the past with one more window, whose weight is at least `slowest`."""
        windows = self.windows + 1
        weight = max(slowest, 1 / windows)
        pairs = list(zip(self.mean, self.variance, position, strict=True))
        return Usual(
            windows,
            tuple(mean + weight * (new - mean) for mean, _, new in pairs),
            tuple((1 - weight) * (old + weight * (new - mean) ** 2) for mean, old, new in pairs),
        )


def sizes(found: Compared, moved: float | None, usual_unfamiliar: float | None) -> dict[ReasonName, float]:
    """Return how much of each reason there is, whether or not it counts: 0 for nothing.

    Shifts of positions are at most 0.5. The others are fractions, 0..1.
    """
    result: dict[ReasonName, float] = {"covered": max(0.0, 1 - found.contrast), "moved": moved or 0.0}
    for index, name in enumerate(STATISTICS):
        shift = float(found.position[index]) - 0.5
        for reason, size in zip(DIRECTIONS[name], (-shift, shift), strict=True):
            if reason:
                result[reason] = max(result.get(reason, 0.0), size)
    if found.unfamiliar is not None and usual_unfamiliar is not None:
        result["unfamiliar"] = max(0.0, found.unfamiliar - usual_unfamiliar)
    return result


def counting(found: Compared, moved: float | None, usual_unfamiliar: float | None, usual: Usual) -> set[ReasonName]:
    """Return the reasons that count.

    A statistic counts if its mean position is shifted and

    - the samples are worth enough independent pictures to exclude chance; or
    - all samples are beyond everything that is expected of the training kind; or
    - the camera's own past was different, see `_is_new`.

    The first cannot happen in front of a single scene, whose frames are worth about one picture, so that a scene that
    is darker than most of the training is nothing to report. The third notices a change of such a scene.
    """
    result: set[ReasonName] = set()
    for index, name in enumerate(STATISTICS):
        position = float(found.position[index])
        outside = (float(found.below[index]), float(found.above[index]))
        for side, reason in enumerate(DIRECTIONS[name]):
            size = (0.5 - position) if side == 0 else (position - 0.5)
            if reason is None:
                continue
            certain = size * math.sqrt(12 * found.independent) >= CERTAIN
            differs = size >= SHIFT and (certain or outside[side] >= ALL)
            if differs or _is_new(position, side, index, usual):
                result.add(reason)
    if _has_other_hues(found, usual):
        result.add("colours")
    if found.contrast < COVERED:
        result.add("covered")
    if moved is not None and moved >= MORE_UNFAMILIAR:
        result.add("moved")
    if found.unfamiliar is not None and usual_unfamiliar is not None:
        more = found.unfamiliar - usual_unfamiliar
        if more >= MORE_UNFAMILIAR and 2 * more * math.sqrt(found.independent) >= CERTAIN:
            result.add("unfamiliar")
    return result


def unexplained(reasons: set[ReasonName], size: Mapping[ReasonName, float]) -> set[ReasonName]:
    """Return the reasons without those that another one explains, which counts or is about to."""
    explained = {
        effect
        for cause, effects in EXPLAINS.items()
        for effect in effects
        if cause in reasons
        or (cause != "covered" and size.get(cause, 0.0) >= max(NEARLY, NEARLY_ALL * size.get(effect, 0.0)))
    }
    return reasons - explained


def _is_new(position: float, side: int, index: int, usual: Usual) -> bool:
    """Return whether a statistic's position differs beyond chance from a camera's own past, to one side.

    It counts if it is in the tail of the training's positions, or if the past is as long as a day, so that day and
    night are part of its variance.
    """
    sign = 1 if side else -1
    change, size = sign * (position - usual.mean[index]), sign * (position - 0.5)
    if usual.windows < USUAL_WINDOWS or change < max(SHIFT, CERTAIN * math.sqrt(usual.variance[index])):
        return False
    return size >= 0.5 - TAIL or usual.windows >= DAY_WINDOWS


def _has_other_hues(found: Compared, usual: Usual) -> bool:
    """Return whether pictures that vary have slightly other hues than both the training and the camera's own past.

    Redness and yellowness count together. Such a small change of them is reported, because it does not come with the
    time of the day, as a change of the brightness does.
    """
    if found.independent < VARIED or usual.windows < USUAL_WINDOWS:
        return False
    indices = [STATISTICS.index(name) for name in HUES]
    changes = [float(found.position[index]) - usual.mean[index] for index in indices]
    sizes = [float(found.position[index]) - 0.5 for index in indices]
    least = 1 / (12 * found.independent)  # variance of the mean of as many positions
    scaled = [
        change / math.sqrt(max(usual.variance[index], least)) for index, change in zip(indices, changes, strict=True)
    ]
    return math.hypot(*scaled) >= HUES_CERTAIN and min(math.hypot(*changes), math.hypot(*sizes)) >= SMALL_SHIFT
