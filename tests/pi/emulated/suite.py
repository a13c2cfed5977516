"""The runtime's own tests, run on an emulated processor."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, NamedTuple

from packaging.requirements import Requirement

from emulated.cache import digest, kept
from emulated.commands import run
from emulated.given import GUEST_SCRIPTS, PROJECT
from emulated.processor import Guest
from emulated.wheels import requirements, site

if TYPE_CHECKING:
    from pathlib import Path

    from emulated.given import Given
    from emulated.targets import Target

EXTRAS = ("pi", "onnx", "camera", "serve", "mqtt")
# They wait for clocks and timeouts more than they compute, or are about starting other programs.
LEFT_OUT = ("live/sinks", "web", "commands/test_serve.py", "live/sources/test_network.py", "tuning")
TESTS = PROJECT / "tests" / "edge_runtime"
MODELS = TESTS / "make_models.py"


class Suite(NamedTuple):
    """How it went."""

    code: int
    passed: int
    skipped: int
    said: str


def run_suite(given: Given, target: Target, processor: str) -> Suite:
    """Run pytest in one process of a guest; tests that start another are skipped there."""
    wanted = [*requirements(given.wheel, target, EXTRAS), Requirement("pytest>=8.3")]
    guest = Guest(target, processor, [given.runtime, site("pytest", wanted, target), GUEST_SCRIPTS], niceness=0)
    words = ["-m", "pytest", "-c", PROJECT / "pyproject.toml", "-p", "no_processes", "-p", "no:cacheprovider"]
    env = {"EDGEWISE_TEST_MODELS": str(_models()), "PYTHONDONTWRITEBYTECODE": "1"}
    # Rewriting the asserts of all modules takes an emulated processor longer than most of the tests.
    words += ["--assert=plain", "--tb=short", f"--basetemp={given.scratch / 'suite'}"]
    words += [f"--ignore={TESTS / name}" for name in LEFT_OUT]
    done = guest.try_python(*words, TESTS, env=env)
    counts = {kind: int(number) for number, kind in re.findall(r"(\d+) (passed|skipped)", done.stdout.splitlines()[-1])}
    return Suite(done.returncode, counts.get("passed", 0), counts.get("skipped", 0), done.stdout + done.stderr)


def _models() -> Path:
    """Give the folder of the test models, which only a host with TensorFlow can make."""

    def make(folder: Path) -> None:
        run(sys.executable, MODELS, folder)

    return kept("models", digest(MODELS), make)
