"""Build the project's wheel and download its dependencies for another machine.

pip evaluates markers such as `platform_machine` for the machine that it runs on and ignores --platform. Markers are
therefore evaluated here, and pip only downloads: first the direct requirements, then those of the downloaded wheels.
"""

from __future__ import annotations

import email
import sys
import zipfile
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from emulated.bytecode import compile_all
from emulated.cache import cached
from emulated.commands import run

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from emulated.targets import Target

OLDEST_GLIBC = 17  # the oldest minor version of glibc 2 in manylinux tags
PIP = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input")


def project_wheel(project: Path, folder: Path) -> Path:
    """Build the project's wheel for devices into an empty folder and return its path."""
    run("make", "--no-print-directory", "-C", project, "device-wheel", f"DEVICE={folder}")
    return next(folder.glob("*.whl"))


def unzip(wheel: Path, folder: Path) -> Path:
    """Unpack a wheel as pip does, without the scripts in bin/, and return the folder."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def wheel_folder(name: str, needed: Sequence[Requirement], target: Target) -> Path:
    """Return a folder with the unpacked wheels of requirements and their dependencies on a target."""
    lines = sorted(map(str, needed))

    def make(folder: Path) -> None:
        for wheel in _download(needed, target, folder / ".wheels"):
            unzip(wheel, folder)
            wheel.unlink()
        (folder / ".wheels").rmdir()
        compile_all(folder, target.python)

    inputs = [target.machine, target.python, target.glibc, lines, target.pins, target.from_debian, sys.version_info[:2]]
    return cached(f"{name}-{target.name}", inputs, make)


def requirements(wheel: Path, target: Target, extras: Iterable[str] = ()) -> Iterator[Requirement]:
    """Yield the requirements of a wheel on a target, with extras, except those that come from Debian packages."""
    with zipfile.ZipFile(wheel) as archive:
        (listed,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = email.message_from_bytes(archive.read(listed))
    for line in metadata.get_all("Requires-Dist", []):
        requirement = Requirement(line)
        if canonicalize_name(requirement.name) in target.from_debian:
            continue
        marker = requirement.marker
        if marker is None or any(marker.evaluate({**_environment(target), "extra": extra}) for extra in ("", *extras)):
            requirement.marker = None
            yield requirement


def _download(needed: Sequence[Requirement], target: Target, folder: Path) -> list[Path]:
    """Download wheels until the requirements of all of them are met; each round uses all requirements so far."""
    known = {str(requirement): requirement for requirement in needed}
    while True:
        folder.mkdir(exist_ok=True)
        for old in folder.glob("*.whl"):
            old.unlink()
        run(*PIP, "download", "--no-deps", "--dest", folder, *_options(target, folder), *known)
        wheels = sorted(folder.glob("*.whl"))
        extras = {canonicalize_name(item.name): item.extras for item in known.values()}
        found = {
            str(item): item
            for wheel in wheels
            for item in requirements(wheel, target, extras.get(canonicalize_name(wheel.name.split("-")[0]), ()))
        }
        if found.keys() <= known.keys():
            (folder / "constraints.txt").unlink()
            return wheels
        known.update(found)


def _options(target: Target, folder: Path) -> Iterator[object]:
    constraints = folder / "constraints.txt"
    constraints.write_text("".join(f"{pin}\n" for pin in target.pins))
    yield from ("--constraint", constraints, "--only-binary=:all:", "--implementation", "cp")
    yield from ("--python-version", target.python)
    for abi in (f"cp{target.python.replace('.', '')}", "abi3", "none"):
        yield from ("--abi", abi)
    for minor in range(OLDEST_GLIBC, target.glibc + 1):
        yield from ("--platform", f"manylinux_2_{minor}_{target.machine}")
    yield from ("--platform", f"manylinux2014_{target.machine}")


def _environment(target: Target) -> dict[str, str]:
    """Return the values of a target's environment markers, https://packaging.python.org/en/latest/specifications/dependency-specifiers/."""
    return {
        "implementation_name": "cpython",
        "implementation_version": f"{target.python}.0",
        "os_name": "posix",
        "platform_machine": target.machine,
        "platform_python_implementation": "CPython",
        "platform_system": "Linux",
        "python_full_version": f"{target.python}.0",
        "python_version": target.python,
        "sys_platform": "linux",
    }
