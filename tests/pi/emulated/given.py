"""What every emulated device is given: made on the host, once, before the first job."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from emulated.faults import sabotaged
from emulated.photographs import write_photographs
from emulated.processor import Guest
from emulated.wheels import project_wheel, requirements, site, unzipped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emulated.faults import Fault
    from emulated.targets import Target

PROJECT = Path(__file__).resolve().parents[3]
GUEST_SCRIPTS = PROJECT / "tests" / "pi" / "guest"


class Given(NamedTuple):
    """What there is.

    Attributes:
        scratch: a folder for what jobs write, this run's own.
        wheel: the project's wheel.
        runtime: the wheel, unpacked.
        photographs: drawn shapes, in several formats.

    """

    scratch: Path
    wheel: Path
    runtime: Path
    photographs: Sequence[Path]

    def fresh_folder(self, name: str) -> Path:
        """Give an empty folder, also to a job that is run again."""
        return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.scratch))

    def installed(self, target: Target, extras: Sequence[str] = ()) -> Path:
        """Give the folder of everything that the wheel brings with it on a target, with its own extra and others."""
        wanted = list(requirements(self.wheel, target, [target.extra, *extras]))
        return site("-".join(["pi", *extras]), wanted, target)

    def guest(self, target: Target, processor: str, fault: Fault | None = None) -> Guest:
        """Give a device on which that is installed; with `fault`, its runtime has one."""
        runtime = sabotaged(self.runtime, self.fresh_folder(fault.name), fault) if fault else self.runtime
        return Guest(target, processor, [runtime, self.installed(target)])


def prepare(scratch: Path) -> Given:
    """Build the wheel, unpack it and draw the photographs."""
    wheel = project_wheel(PROJECT, scratch / "wheel")
    return Given(scratch, wheel, unzipped(wheel, scratch / "runtime"), write_photographs(scratch / "photographs"))
