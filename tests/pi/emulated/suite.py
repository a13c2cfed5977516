"""Run the tests of the runtime on an emulated processor."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, NamedTuple

from packaging.requirements import Requirement

from emulated.cache import cached, digest
from emulated.commands import run
from emulated.inputs import GUEST_SCRIPTS, PROJECT
from emulated.processor import Guest
from emulated.wheels import requirements, wheel_folder

if TYPE_CHECKING:
    from pathlib import Path

    from emulated.inputs import DeviceInputs
    from emulated.targets import Target

EXTRAS = ("pi", "onnx", "camera", "serve", "mqtt")
# These tests mostly wait for clocks and timeouts, start other programs, or simulate days.
EXCLUDED = (
    "live/sinks",
    "web",
    "commands/test_serve.py",
    "commands/test_collect.py",
    "live/sources/test_network.py",
    "tuning",
    "drift/test_monitor.py",
    "collection",
    "update",
)
TESTS = PROJECT / "tests" / "edge_runtime"
MODELS = TESTS / "make_models.py"


class Suite(NamedTuple):
    """The result of a test run; `output` is pytest's standard output and standard error."""

    code: int
    passed: int
    skipped: int
    output: str


def run_suite(inputs: DeviceInputs, target: Target, processor: str) -> Suite:
    """Run pytest in one process of a guest; tests that start another process are skipped."""
    needed = [*requirements(inputs.wheel, target, EXTRAS), Requirement("pytest>=8.3")]
    packages = wheel_folder("pytest", needed, target)
    guest = Guest(target, processor, [inputs.runtime, packages, GUEST_SCRIPTS], niceness=0)
    words = ["-m", "pytest", "-c", PROJECT / "pyproject.toml", "-p", "no_processes", "-p", "no:cacheprovider"]
    env = {"EDGEWISE_TEST_MODELS": str(_models()), "PYTHONDONTWRITEBYTECODE": "1"}
    # Rewriting the assert statements of all modules takes longer than most of the tests on an emulated processor.
    words += ["--assert=plain", "--tb=short", f"--basetemp={inputs.scratch / 'suite'}"]
    words += [f"--ignore={TESTS / name}" for name in EXCLUDED]
    done = guest.try_python(*words, TESTS, env=env)
    counts = {kind: int(number) for number, kind in re.findall(r"(\d+) (passed|skipped)", done.stdout.splitlines()[-1])}
    return Suite(done.returncode, counts.get("passed", 0), counts.get("skipped", 0), done.stdout + done.stderr)


def _models() -> Path:
    """Return the folder of the test models, which only a host with TensorFlow can create."""

    def make(folder: Path) -> None:
        run(sys.executable, MODELS, folder)

    return cached("models", digest(MODELS), make)
