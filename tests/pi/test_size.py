"""The size of the installed runtime: it is printed by distribution and has a limit."""

from __future__ import annotations

import pytest
from emulated.budgets import write_budget
from emulated.replays import differences
from emulated.sizes import debian_bytes, distribution_bytes, large_files, size_problems
from emulated.targets import ARMHF, BOOKWORM, BOOKWORM_SHARED, BOOKWORM_SHARED_TFLITE, TFLITE, TRIXIE, TRIXIE_SHARED

MEGABYTE = 1_000_000
PI_4 = "cortex-a72"
INSTALLED = {
    target.name: target
    for target in (BOOKWORM, TRIXIE, ARMHF, TFLITE, BOOKWORM_SHARED, TRIXIE_SHARED, BOOKWORM_SHARED_TFLITE)
}


def megabytes(sizes):
    return ", ".join(f"{name} {size / MEGABYTE:.1f}" for name, size in sizes.items() if size >= MEGABYTE / 10)


@pytest.mark.parametrize("name", INSTALLED)
def test_the_size_of_an_installation_is_within_its_budget(name, inputs, budgets, renew, add_to_summary):
    sites = [inputs.runtime, inputs.installed(INSTALLED[name])]
    measured = distribution_bytes(sites)
    add_to_summary(f"{name}: {sum(measured.values()) / MEGABYTE:.1f} MB: {megabytes(measured)}")
    add_to_summary(f"{name}: the largest files: {megabytes(large_files(sites)) or 'none over 5 MB'}")
    if renew:
        write_budget("installed_bytes", name, sum(measured.values()))
        return
    assert not list(size_problems(name, measured, budgets["installed_bytes"][name]))


@pytest.mark.parametrize(
    ("target", "plain", "most"),
    [(BOOKWORM_SHARED, BOOKWORM, 90), (TRIXIE_SHARED, TRIXIE, 90), (BOOKWORM_SHARED_TFLITE, BOOKWORM, 60)],
    ids=lambda value: getattr(value, "name", None),
)
def test_an_installation_that_uses_the_libraries_of_the_system_is_small(target, plain, most, inputs, add_to_summary):
    installed = sum(distribution_bytes([inputs.runtime, inputs.installed(target)]).values())
    systems = debian_bytes(target, plain) / MEGABYTE
    add_to_summary(f"{target.name}: {installed / MEGABYTE:.1f} MB, and {systems:.1f} MB of packages of the system")
    assert installed <= most * MEGABYTE


@pytest.mark.job("replay host", *(f"replay {target.name} {PI_4}" for target in (BOOKWORM_SHARED, TRIXIE_SHARED)))
@pytest.mark.parametrize("target", [BOOKWORM_SHARED, TRIXIE_SHARED], ids=lambda target: target.name)
def test_with_the_libraries_of_the_system_a_device_gets_the_results_of_this_host(target, result):
    assert not list(differences(result("replay host"), result(f"replay {target.name} {PI_4}")))


@pytest.mark.parametrize(
    ("target", "most"),
    [
        pytest.param(target, most, id=target.name, marks=pytest.mark.job("replay host", f"lean replay {target.name}"))
        for target, most in ((BOOKWORM, 90), (TFLITE, 60))
    ],
)
def test_a_device_needs_none_of_the_files_that_the_manual_deletes(target, most, inputs, result, add_to_summary):
    replay, lean = result(f"lean replay {target.name}")
    complete = sum(distribution_bytes([inputs.runtime, inputs.installed(target)]).values())
    assert not list(differences(result("replay host"), replay))
    add_to_summary(
        f"{target.name} without the files that are not needed: {lean / MEGABYTE:.1f} MB of {complete / MEGABYTE:.1f}"
    )
    assert lean <= most * MEGABYTE


def test_an_installation_that_exceeds_its_budget_is_reported_with_its_largest_parts():
    (problem,) = size_problems("a-device", {"numpy": 80, "pillow": 24}, 100)
    assert problem == "a-device: 104 bytes are installed, 4.0% more than 100: numpy 80, pillow 24, ..."
    assert not list(size_problems("a-device", {"numpy": 80, "pillow": 23}, 100))
