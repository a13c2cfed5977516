"""A frame costs on each processor what it did before: instructions, which repeat, where milliseconds would not."""

from __future__ import annotations

import pytest
from emulated.budgets import write_budget
from emulated.costs import around_invoke, over_budget
from emulated.targets import PROCESSORS

PI_4 = "cortex-a72"


@pytest.mark.parametrize(
    "processor", [pytest.param(name, marks=pytest.mark.job(f"cost {name}")) for name in PROCESSORS]
)
def test_no_stage_of_a_frame_takes_three_percent_more_than_its_budget(processor, result, budgets, renew, say):
    counts = result(f"cost {processor}")
    for kind, stages in counts.items():
        shares = ", ".join(f"{stage} {instructions / 1e6:.2f}" for stage, instructions in stages.items())
        say(f"{processor}, {kind}: {sum(stages.values()) / 1e6:.1f} million instructions: {shares}")
    if renew:
        write_budget("instructions", processor, counts)
        return
    assert not list(over_budget(processor, counts, budgets["instructions"][processor]))


@pytest.mark.job(f"cost {PI_4}")
@pytest.mark.parametrize(("kind", "most"), [("640x480 camera", 0.15), ("model's size", 0.02)])
def test_python_around_invoke_is_a_small_part_of_a_frame(kind, most, result, say):
    share = around_invoke(result(f"cost {PI_4}")[kind])
    say(f"{PI_4}, {kind}: around invoke {share:.1%} of MobileNetV2 int8's own invoke; at most {most:.0%}")
    assert share <= most


@pytest.mark.job("costlier frame")
def test_a_frame_that_costs_a_tenth_more_is_found_and_the_stage_is_named(result, budgets):
    counts, budget = result("costlier frame"), budgets["instructions"][PI_4]
    kind = "640x480 camera"
    assert 1.05 < sum(counts[kind].values()) / sum(budget[kind].values()) < 1.12
    found = list(over_budget(PI_4, counts, budget))
    assert any(line.startswith(f"{PI_4}, {kind}: resize takes ") for line in found)
    assert any(line.startswith(f"{PI_4}, {kind}: the whole frame takes ") for line in found)
    assert not any("invoke" in line for line in found)
