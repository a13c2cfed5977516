"""The cost of a frame on each processor, in instructions, which are reproducible; milliseconds are not."""

from __future__ import annotations

import pytest
from emulated.budgets import write_budget
from emulated.costs import budget_problems, overhead_share
from emulated.targets import PROCESSORS

PI_4 = "cortex-a72"


@pytest.mark.parametrize(
    "processor", [pytest.param(name, marks=pytest.mark.job(f"cost {name}")) for name in PROCESSORS]
)
def test_no_stage_of_a_frame_exceeds_its_budget_by_more_than_three_percent(
    processor, result, budgets, renew, add_to_summary
):
    counts = result(f"cost {processor}")
    for kind, stages in counts.items():
        shares = ", ".join(f"{stage} {instructions / 1e6:.2f}" for stage, instructions in stages.items())
        add_to_summary(f"{processor}, {kind}: {sum(stages.values()) / 1e6:.1f} million instructions: {shares}")
    if renew:
        write_budget("instructions", processor, counts)
        return
    assert not list(budget_problems(processor, counts, budgets["instructions"][processor]))


@pytest.mark.job(f"cost {PI_4}")
@pytest.mark.parametrize(("kind", "most"), [("640x480 camera", 0.15), ("model's size", 0.02)])
def test_the_overhead_around_the_models_invoke_is_small(kind, most, result, add_to_summary):
    share = overhead_share(result(f"cost {PI_4}")[kind])
    add_to_summary(f"{PI_4}, {kind}: overhead {share:.1%} of the invoke of MobileNetV2 int8; limit {most:.0%}")
    assert share <= most


@pytest.mark.job("latency")
def test_the_instructions_of_a_network_are_predicted_from_those_of_small_ones(result, add_to_summary):
    for name, (predicted, counted) in result("latency").items():
        error = predicted / counted - 1
        add_to_summary(f"{PI_4}, int8 of {name}: {counted / 1e6:.1f} million instructions, predicted {error:+.1%}")
        assert abs(error) <= 0.1


@pytest.mark.job("costlier frame")
def test_a_frame_that_costs_a_tenth_more_is_reported_with_the_stage(result, budgets):
    counts, budget = result("costlier frame"), budgets["instructions"][PI_4]
    kind = "640x480 camera"
    assert 1.05 < sum(counts[kind].values()) / sum(budget[kind].values()) < 1.12
    problems = list(budget_problems(PI_4, counts, budget))
    assert any(line.startswith(f"{PI_4}, {kind}: resize takes ") for line in problems)
    assert any(line.startswith(f"{PI_4}, {kind}: the complete frame takes ") for line in problems)
    assert not any("invoke" in line for line in problems)
