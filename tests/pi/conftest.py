"""Emulated Raspberry Pis: the long jobs are begun together, three at a time, and tests judge what they gave."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from emulated.budgets import read_budgets
from emulated.camera_day import camera_day
from emulated.commands import missing
from emulated.costs import counted
from emulated.faults import HEAVY_IMPORT, RESIZED_TWICE, WRONG_RESIZE
from emulated.given import prepare
from emulated.jobs import Jobs
from emulated.replays import imported_on_device, replay_on_device, replay_on_host, replay_small, replay_without_unneeded
from emulated.suite import run_suite
from emulated.targets import ARMHF, BOOKWORM, BOOKWORM_SHARED, PROCESSORS, TFLITE, TRIXIE, TRIXIE_SHARED

if TYPE_CHECKING:
    from collections.abc import Callable

    from emulated.given import Given

SAID: pytest.StashKey[list[str]] = pytest.StashKey()
PI_4 = "cortex-a72"
OLDER_PILLOW = "12.2.0"  # the last that resizes as Debian's do


def pytest_addoption(parser):
    parser.addoption("--renew-budgets", action="store_true", help="let budgets.json say what is measured")


def pytest_configure(config):
    config.addinivalue_line("markers", "job(*names): the long jobs that a test waits for")
    config.stash[SAID] = []


def pytest_terminal_summary(terminalreporter, config):
    if config.stash[SAID]:
        terminalreporter.section("measured on emulated devices")
        for line in config.stash[SAID]:
            terminalreporter.line(line)


@pytest.fixture(scope="session")
def given(tmp_path_factory):
    """What every device is given; skips where the emulators are missing."""
    if absent := missing():
        pytest.skip(absent)
    return prepare(tmp_path_factory.mktemp("pi"))


@pytest.fixture(scope="session")
def jobs(given, request):
    """The jobs that the chosen tests wait for, begun."""
    wanted = {name for item in request.session.items for mark in item.iter_markers("job") for name in mark.args}
    begun = Jobs({name: job for name, job in _jobs(given).items() if name in wanted})
    yield begun
    begun.close()
    took = ", ".join(f"{name} {seconds:.0f}" for name, seconds in begun.took_s.items())
    request.config.stash[SAID].append(f"seconds that each job took: {took}")


@pytest.fixture
def result(jobs, request):
    """Give a function that waits for a job that the test's marker names, and gives what came of it."""
    names = [name for mark in request.node.iter_markers("job") for name in mark.args]
    if getattr(request.node, "execution_count", 1) > 1:  # another try, for it may have been starved
        for name in names:
            jobs.begin(name)

    def wait(name: str) -> Any:
        assert name in names, "the marker must name the job, or it is not begun in time"
        return jobs.result(name)

    return wait


@pytest.fixture
def say(request):
    """Give a function that adds a line to what is printed at the end."""
    return request.config.stash[SAID].append


@pytest.fixture
def budgets():
    """The budgets as they are now: a test before may have renewed them."""
    return read_budgets()


@pytest.fixture
def renew(request):
    """Whether the budgets shall be what is measured."""
    return request.config.getoption("--renew-budgets", default=False)


def _jobs(given: Given) -> dict[str, Callable[[], Any]]:
    """Give every job there is, the longest first."""
    jobs: dict[str, Callable[[], Any]] = {
        "camera day": partial(camera_day, given),
        "suite": partial(run_suite, given, BOOKWORM, PI_4),
        "replay host": partial(replay_on_host, given),
        "replay host, older Pillow": partial(replay_on_host, given, OLDER_PILLOW),
        "imports": partial(imported_on_device, given, BOOKWORM, PI_4),
        "heavy imports": partial(imported_on_device, given, BOOKWORM, PI_4, HEAVY_IMPORT),
        f"replay {ARMHF.name} {PI_4}": partial(replay_on_device, given, ARMHF, PI_4),
        "wrong resize": partial(replay_small, given, BOOKWORM, PI_4, WRONG_RESIZE),
        "costlier frame": partial(counted, given, BOOKWORM, PI_4, RESIZED_TWICE, ["640x480 camera"]),
    }
    for target in (BOOKWORM, TFLITE):
        jobs[f"lean replay {target.name}"] = partial(replay_without_unneeded, given, target, PI_4)
    for target in (BOOKWORM_SHARED, TRIXIE_SHARED):
        jobs[f"replay {target.name} {PI_4}"] = partial(replay_small, given, target, PI_4)
    for processor in PROCESSORS:
        jobs[f"cost {processor}"] = partial(counted, given, BOOKWORM, processor)
        for target in (BOOKWORM, TRIXIE):
            jobs[f"replay {target.name} {processor}"] = partial(replay_on_device, given, target, processor)
    return jobs
