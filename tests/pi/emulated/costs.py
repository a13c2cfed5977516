"""Instructions that a frame takes, by stage, and what they may be."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from emulated.bundles import mobilenet_bundle
from emulated.given import GUEST_SCRIPTS, PROJECT
from emulated.photographs import KINDS, write_frames
from emulated.processor import marks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from emulated.faults import Fault
    from emulated.given import Given
    from emulated.processor import Mark
    from emulated.targets import Target

Stages: TypeAlias = "Mapping[str, int]"  # instructions by stage
Costs: TypeAlias = "Mapping[str, Stages]"  # by kind of frame

SIDE, TIMES = 224, 3
STAGES = ("decode", "resize", "input", "invoke", "output", "decide")  # in the order of frame_cost.py's marks
ALLOWED = 1.03
# Counts of the same code repeat to within this: where things lie in memory decides what a hash table's search takes.
NOISE = 2000


def counted(
    given: Given, target: Target, processor: str, fault: Fault | None = None, wanted: Sequence[str] = KINDS
) -> Costs:
    """Classify frames of the wanted kinds on a processor and count; the least of some times is what it takes."""
    folder = given.fresh_folder(f"cost-{processor}")
    files, log = write_frames(folder, SIDE), folder / "marks.log"
    files = {kind: files[kind] for kind in wanted}
    words = (mobilenet_bundle(PROJECT), "int8.tflite", TIMES, *files.values())
    given.guest(target, processor, fault).python(GUEST_SCRIPTS / "frame_cost.py", *words, log=log)
    frames = _frames(marks(log))
    kinds = [frames[at : at + TIMES] for at in range(0, len(frames), TIMES)]
    return {kind: _least(same) for kind, same in zip(files, kinds, strict=True)}


def over_budget(processor: str, counts: Costs, budgets: Costs) -> Iterator[str]:
    """Say which stages, or whole frames, take more than their budget allows, and on which processor."""
    for kind, stages in counts.items():
        for stage, instructions in {**stages, "the whole frame": sum(stages.values())}.items():
            budget = budgets[kind].get(stage, sum(budgets[kind].values()))
            if instructions > budget * ALLOWED + NOISE:
                more = f"{instructions / budget - 1:.1%} more than its budget of {budget:,}"
                yield f"{processor}, {kind}: {stage} takes {instructions:,} instructions, {more}"


def around_invoke(stages: Stages) -> float:
    """Give what Python does around the model's own work, as a share of that work."""
    return (sum(stages.values()) - stages["invoke"]) / stages["invoke"]


def _frames(found: Sequence[Mark]) -> list[Stages]:
    """Split marks into frames, each of which begins with number 0."""
    frames: list[dict[str, int]] = []
    for mark in found:
        if mark.number == 0:
            frames.append({})
        else:
            frames[-1][STAGES[mark.number - 1]] = mark.instructions
    return frames


def _least(frames: Sequence[Stages]) -> Stages:
    return {stage: min(frame[stage] for frame in frames) for stage in STAGES}
