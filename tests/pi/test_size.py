"""What the runtime takes on a card: printed by part, bounded, and small where the system's own libraries are used."""

from __future__ import annotations

import pytest
from emulated.budgets import write_budget
from emulated.replays import differences
from emulated.sizes import debian_bytes, large_files, over_size, parts
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
def test_what_pip_installs_has_not_grown(name, given, budgets, renew, say):
    sites = [given.runtime, given.installed(INSTALLED[name])]
    measured = parts(sites)
    say(f"{name}: {sum(measured.values()) / MEGABYTE:.1f} MB: {megabytes(measured)}")
    say(f"{name}: of these the largest files: {megabytes(large_files(sites)) or 'none over 5 MB'}")
    if renew:
        write_budget("installed_bytes", name, sum(measured.values()))
        return
    assert not list(over_size(name, measured, budgets["installed_bytes"][name]))


@pytest.mark.parametrize(
    ("target", "plain", "most"),
    [(BOOKWORM_SHARED, BOOKWORM, 90), (TRIXIE_SHARED, TRIXIE, 90), (BOOKWORM_SHARED_TFLITE, BOOKWORM, 60)],
    ids=lambda value: getattr(value, "name", None),
)
def test_beside_the_systems_own_libraries_it_is_small(target, plain, most, given, say):
    installed = sum(parts([given.runtime, given.installed(target)]).values())
    systems = debian_bytes(target, plain) / MEGABYTE
    say(f"{target.name}: {installed / MEGABYTE:.1f} MB beside {systems:.1f} of the system's own packages")
    assert installed <= most * MEGABYTE


@pytest.mark.job("replay host", *(f"replay {target.name} {PI_4}" for target in (BOOKWORM_SHARED, TRIXIE_SHARED)))
@pytest.mark.parametrize("target", [BOOKWORM_SHARED, TRIXIE_SHARED], ids=lambda target: target.name)
def test_with_the_systems_own_libraries_a_device_decides_alike(target, result):
    assert not list(differences(result("replay host"), result(f"replay {target.name} {PI_4}")))


@pytest.mark.parametrize(
    ("target", "most"),
    [
        pytest.param(target, most, id=target.name, marks=pytest.mark.job("replay host", f"lean replay {target.name}"))
        for target, most in ((BOOKWORM, 90), (TFLITE, 60))
    ],
)
def test_what_can_be_left_out_is_not_missed(target, most, given, result, say):
    replay, lean = result(f"lean replay {target.name}")
    whole = sum(parts([given.runtime, given.installed(target)]).values())
    assert not list(differences(result("replay host"), replay))
    say(f"{target.name} without what no check misses: {lean / MEGABYTE:.1f} MB of {whole / MEGABYTE:.1f}")
    assert lean <= most * MEGABYTE


def test_an_installation_that_has_grown_is_found_and_its_largest_part_is_named():
    (found,) = over_size("a-device", {"numpy": 80, "pillow": 24}, 100)
    assert found == "a-device: 104 bytes are installed, 4.0% more than 100: numpy 80, pillow 24, ..."
    assert not list(over_size("a-device", {"numpy": 80, "pillow": 23}, 100))
