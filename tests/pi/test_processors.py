"""A Pi decides as this host does: on three processors, two releases, in 64 and 32 bits."""

from __future__ import annotations

import pytest
from emulated.replays import differences, drifts, heavy
from emulated.targets import ARMHF, BOOKWORM, PROCESSORS, TRIXIE

HOST, HOST_OF_ARMHF = "replay host", "replay host, older Pillow"
DEVICES = [f"{target.name} {processor}" for target in (BOOKWORM, TRIXIE) for processor in PROCESSORS]
DEVICES.append(f"{ARMHF.name} cortex-a72")  # to its emulator they are all the same
LEAST_TESTS = 400  # of the runtime's own that must have run on the device


@pytest.mark.job(HOST)
def test_this_host_decides_rightly_and_differently(result):
    for name, replay in result(HOST).items():
        assert replay["classify"] == [0, ["blue", "green", "red", "yellow"], ""], name


def replays(device):
    host = HOST_OF_ARMHF if device.startswith(ARMHF.name) else HOST
    return pytest.param(host, device, id=device, marks=pytest.mark.job(host, f"replay {device}"))


@pytest.mark.parametrize(("host", "device"), [replays(device) for device in DEVICES])
def test_a_device_passes_the_selftest_sees_the_same_pixels_and_decides_alike(host, device, result, say):
    expected, found = result(host), result(f"replay {device}")
    drift = ", ".join(f"{name} {value:.2g}" for name, value in drifts(expected, found).items())
    say(f"{device}: probabilities differ from this host's by at most: {drift}")
    assert found.keys() == expected.keys()
    assert not list(differences(expected, found))


@pytest.mark.job("suite")
def test_the_runtimes_own_tests_pass_on_a_device(result, say):
    suite = result("suite")
    assert suite.code == 0, suite.said
    assert suite.passed >= LEAST_TESTS, suite.said
    say(f"the runtime's own tests on an emulated Pi 4: {suite.passed} passed, {suite.skipped} skipped")


@pytest.mark.job("imports")
def test_importing_the_runtime_on_a_device_loads_numpy_and_pillow_alone(result):
    assert heavy(result("imports")) == set()


@pytest.mark.job("heavy imports")
def test_a_runtime_that_imports_something_heavy_is_found(result):
    assert "ai_edge_litert" in heavy(result("heavy imports"))


@pytest.mark.job(HOST, "wrong resize")
def test_a_runtime_that_resizes_otherwise_is_found(result):
    found = "\n".join(differences(result(HOST), result("wrong resize")))
    assert "int8.tflite: tensors: " in found
    assert "selftest: edge-run: " in found
    assert ": resize: " in found
