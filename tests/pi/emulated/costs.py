"""Count the instructions of each stage of a frame, and compare them with the budgets."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from emulated.bundles import mobilenet_bundle
from emulated.inputs import GUEST_SCRIPTS, PROJECT
from emulated.photographs import KINDS, write_frames
from emulated.processor import read_marks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from emulated.faults import Fault
    from emulated.inputs import DeviceInputs
    from emulated.processor import Mark
    from emulated.targets import Target

Stages: TypeAlias = "Mapping[str, int]"  # instructions by stage
Costs: TypeAlias = "Mapping[str, Stages]"  # by kind of frame

SIDE, TIMES = 224, 3
STAGES = ("decode", "resize", "input", "invoke", "output", "decide")  # in the order of frame_cost.py's marks
ALLOWED = 1.03
# Counts of the same code vary by up to this: the cost of a hash table depends on memory addresses.
NOISE = 2000


def count_instructions(
    inputs: DeviceInputs, target: Target, processor: str, fault: Fault | None = None, kinds: Sequence[str] = KINDS
) -> Costs:
    """Classify frames on a processor and count the instructions; each count is the minimum of TIMES frames."""
    folder = inputs.fresh_folder(f"cost-{processor}")
    files, log = write_frames(folder, SIDE), folder / "marks.log"
    files = {kind: files[kind] for kind in kinds}
    words = (mobilenet_bundle(PROJECT), "int8.tflite", TIMES, *files.values())
    inputs.guest(target, processor, fault).python(GUEST_SCRIPTS / "frame_cost.py", *words, log=log)
    frames = _frames(read_marks(log))
    repeats = [frames[at : at + TIMES] for at in range(0, len(frames), TIMES)]
    return {kind: _minimum(same) for kind, same in zip(files, repeats, strict=True)}


def budget_problems(processor: str, counts: Costs, budgets: Costs) -> Iterator[str]:
    """Yield a line for each stage, and for each complete frame, that exceeds its budget."""
    for kind, stages in counts.items():
        for stage, instructions in {**stages, "the complete frame": sum(stages.values())}.items():
            budget = budgets[kind].get(stage, sum(budgets[kind].values()))
            if instructions > budget * ALLOWED + NOISE:
                more = f"{instructions / budget - 1:.1%} more than its budget of {budget:,}"
                yield f"{processor}, {kind}: {stage} takes {instructions:,} instructions, {more}"


def overhead_share(stages: Stages) -> float:
    """Return the instructions outside the model's invoke, relative to those of the invoke."""
    return (sum(stages.values()) - stages["invoke"]) / stages["invoke"]


def _frames(found: Sequence[Mark]) -> list[Stages]:
    """Split marks into frames; each frame starts with mark 0."""
    frames: list[dict[str, int]] = []
    for mark in found:
        if mark.number == 0:
            frames.append({})
        else:
            frames[-1][STAGES[mark.number - 1]] = mark.instructions
    return frames


def _minimum(frames: Sequence[Stages]) -> Stages:
    return {stage: min(frame[stage] for frame in frames) for stage in STAGES}
