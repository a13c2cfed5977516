"""The files that all emulated devices use; the host makes them once, before the first job."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from emulated.faults import copy_with_fault
from emulated.photographs import write_photographs
from emulated.processor import Guest
from emulated.wheels import project_wheel, requirements, unzip, wheel_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emulated.faults import Fault
    from emulated.targets import Target

PROJECT = Path(__file__).resolve().parents[3]
GUEST_SCRIPTS = PROJECT / "tests" / "pi" / "guest"


class DeviceInputs(NamedTuple):
    """The files of one test run.

    Attributes:
        scratch: a folder for the output of the jobs.
        wheel: the project's wheel.
        runtime: folder of the unpacked wheel.
        photographs: image files in several formats; see `write_photographs`.

    """

    scratch: Path
    wheel: Path
    runtime: Path
    photographs: Sequence[Path]

    def fresh_folder(self, name: str) -> Path:
        """Return a new empty folder, so that a job can be run again."""
        return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.scratch))

    def installed(self, target: Target, extras: Sequence[str] = ()) -> Path:
        """Return the folder of all dependencies of the wheel on a target, with the target's extra and others."""
        needed = list(requirements(self.wheel, target, [target.extra, *extras]))
        return wheel_folder("-".join(["pi", *extras]), needed, target)

    def guest(self, target: Target, processor: str, fault: Fault | None = None) -> Guest:
        """Return a device with the runtime and its dependencies; with `fault`, the runtime has that fault."""
        runtime = copy_with_fault(self.runtime, self.fresh_folder(fault.name), fault) if fault else self.runtime
        return Guest(target, processor, [runtime, self.installed(target)])


def prepare(scratch: Path) -> DeviceInputs:
    """Build the wheel, unpack it and draw the photographs."""
    wheel = project_wheel(PROJECT, scratch / "wheel")
    return DeviceInputs(scratch, wheel, unzip(wheel, scratch / "runtime"), write_photographs(scratch / "photographs"))
