"""An emulated Pi gets the results of this host: on three processors, two Debian releases, with 64 and 32 bits."""

from __future__ import annotations

import pytest
from emulated.replays import differences, score_differences, unneeded_imports
from emulated.targets import ARMHF, BOOKWORM, PROCESSORS, TRIXIE

HOST, HOST_OF_ARMHF = "replay host", "replay host, older Pillow"
DEVICES = [f"{target.name} {processor}" for target in (BOOKWORM, TRIXIE) for processor in PROCESSORS]
DEVICES.append(f"{ARMHF.name} cortex-a72")  # its emulator does not distinguish the processors
LEAST_TESTS = 400  # of the runtime that must have run on the device


@pytest.mark.job(HOST)
def test_this_host_classifies_each_photograph_correctly(result):
    for name, replay in result(HOST).items():
        assert replay["classify"] == [0, ["blue", "green", "red", "yellow"], ""], name


def replays(device):
    host = HOST_OF_ARMHF if device.startswith(ARMHF.name) else HOST
    return pytest.param(host, device, id=device, marks=pytest.mark.job(host, f"replay {device}"))


@pytest.mark.parametrize(("host", "device"), [replays(device) for device in DEVICES])
def test_a_device_passes_the_selftest_and_gets_the_same_pixels_and_classes_as_this_host(
    host, device, result, add_to_summary
):
    expected, found = result(host), result(f"replay {device}")
    largest = ", ".join(f"{name} {value:.2g}" for name, value in score_differences(expected, found).items())
    add_to_summary(f"{device}: probabilities differ from this host's by at most: {largest}")
    assert found.keys() == expected.keys()
    assert not list(differences(expected, found))


@pytest.mark.job("suite")
def test_the_tests_of_the_runtime_pass_on_a_device(result, add_to_summary):
    suite = result("suite")
    assert suite.code == 0, suite.output
    assert suite.passed >= LEAST_TESTS, suite.output
    add_to_summary(f"the tests of the runtime on an emulated Pi 4: {suite.passed} passed, {suite.skipped} skipped")


@pytest.mark.job("imports")
def test_importing_the_runtime_on_a_device_loads_only_numpy_and_pillow(result):
    assert unneeded_imports(result("imports")) == set()


@pytest.mark.job("heavy imports")
def test_a_runtime_with_an_unneeded_import_is_detected(result):
    assert "ai_edge_litert" in unneeded_imports(result("heavy imports"))


@pytest.mark.job(HOST, "wrong resize")
def test_a_runtime_that_resizes_differently_is_detected(result):
    found = "\n".join(differences(result(HOST), result("wrong resize")))
    assert "int8.tflite: tensors: " in found
    assert "selftest: edge-run: " in found
    assert ": resize: " in found
