"""Tests on emulated Raspberry Pis: long jobs run in the background, three in parallel; tests check their results."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from emulated.budgets import read_budgets
from emulated.camera_scenario import run_camera_scenario
from emulated.commands import missing_programs
from emulated.costs import count_instructions
from emulated.faults import HEAVY_IMPORT, RESIZED_TWICE, WRONG_RESIZE
from emulated.inputs import prepare
from emulated.jobs import Jobs
from emulated.network_costs import predicted_and_counted
from emulated.replays import imports_on_device, replay_on_device, replay_on_host, replay_small, replay_without_unneeded
from emulated.suite import run_suite
from emulated.targets import ARMHF, BOOKWORM, BOOKWORM_SHARED, PROCESSORS, TFLITE, TRIXIE, TRIXIE_SHARED

if TYPE_CHECKING:
    from collections.abc import Callable

    from emulated.inputs import DeviceInputs

MEASURED: pytest.StashKey[list[str]] = pytest.StashKey()
PI_4 = "cortex-a72"
OLDER_PILLOW = "12.2.0"  # the last version that resizes as Debian's versions do


def pytest_addoption(parser):
    parser.addoption("--renew-budgets", action="store_true", help="write the measured values to budgets.json")


def pytest_configure(config):
    config.addinivalue_line("markers", "job(*names): the long jobs whose results a test uses")
    config.stash[MEASURED] = []


def pytest_terminal_summary(terminalreporter, config):
    if config.stash[MEASURED]:
        terminalreporter.section("measured on emulated devices")
        for line in config.stash[MEASURED]:
            terminalreporter.line(line)


@pytest.fixture(scope="session")
def inputs(tmp_path_factory):
    """The files that all devices use; skip the test if the emulators are not installed."""
    if problem := missing_programs():
        pytest.skip(problem)
    return prepare(tmp_path_factory.mktemp("pi"))


@pytest.fixture(scope="session")
def jobs(inputs, request):
    """The jobs that the selected tests use; they are started."""
    names = {name for item in request.session.items for mark in item.iter_markers("job") for name in mark.args}
    started = Jobs({name: job for name, job in _jobs(inputs).items() if name in names})
    yield started
    started.close()
    durations = ", ".join(f"{name} {seconds:.0f}" for name, seconds in started.durations_s.items())
    request.config.stash[MEASURED].append(f"seconds that each job took: {durations}")


@pytest.fixture
def result(jobs, request):
    """Return a function that waits for a job of the test's marker and returns its result."""
    names = [name for mark in request.node.iter_markers("job") for name in mark.args]
    if getattr(request.node, "execution_count", 1) > 1:  # a rerun: the machine may have been too busy for the job
        for name in names:
            jobs.start(name)

    def wait(name: str) -> Any:
        assert name in names, "the test's marker must name the job, so that it is started early"
        return jobs.result(name)

    return wait


@pytest.fixture
def add_to_summary(request):
    """Return a function that adds a line to the summary that is printed at the end."""
    return request.config.stash[MEASURED].append


@pytest.fixture
def budgets():
    """The present budgets; they are read again for each test, because an earlier one may have renewed them."""
    return read_budgets()


@pytest.fixture
def renew(request):
    """Whether to write the measured values as the new budgets."""
    return request.config.getoption("--renew-budgets", default=False)


def _jobs(inputs: DeviceInputs) -> dict[str, Callable[[], Any]]:
    """Return all jobs, the longest first."""
    jobs: dict[str, Callable[[], Any]] = {
        "camera scenario": partial(run_camera_scenario, inputs),
        "suite": partial(run_suite, inputs, BOOKWORM, PI_4),
        "replay host": partial(replay_on_host, inputs),
        "replay host, older Pillow": partial(replay_on_host, inputs, OLDER_PILLOW),
        "imports": partial(imports_on_device, inputs, BOOKWORM, PI_4),
        "heavy imports": partial(imports_on_device, inputs, BOOKWORM, PI_4, HEAVY_IMPORT),
        f"replay {ARMHF.name} {PI_4}": partial(replay_on_device, inputs, ARMHF, PI_4),
        "wrong resize": partial(replay_small, inputs, BOOKWORM, PI_4, WRONG_RESIZE),
        "latency": partial(predicted_and_counted, inputs, BOOKWORM, PI_4),
        "costlier frame": partial(count_instructions, inputs, BOOKWORM, PI_4, RESIZED_TWICE, ["640x480 camera"]),
    }
    for target in (BOOKWORM, TFLITE):
        jobs[f"lean replay {target.name}"] = partial(replay_without_unneeded, inputs, target, PI_4)
    for target in (BOOKWORM_SHARED, TRIXIE_SHARED):
        jobs[f"replay {target.name} {PI_4}"] = partial(replay_small, inputs, target, PI_4)
    for processor in PROCESSORS:
        jobs[f"cost {processor}"] = partial(count_instructions, inputs, BOOKWORM, processor)
        for target in (BOOKWORM, TRIXIE):
            jobs[f"replay {target.name} {processor}"] = partial(replay_on_device, inputs, target, processor)
    return jobs
