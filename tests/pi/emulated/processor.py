"""Run a target's Python on an emulated processor, and count the instructions that it executes."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from emulated.cache import cached, digest
from emulated.commands import CommandError, program, run
from emulated.targets import cpuinfo

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from emulated.targets import Target

PLUGIN_SOURCE = Path(__file__).with_name("icount.c")
LONGEST_S = 600.0


class Mark(NamedTuple):
    """A mark that the guest set: its number, and the instructions executed since the previous mark."""

    number: int
    instructions: int


class Guest(NamedTuple):
    """Python of a target on an emulated processor.

    A guest program cannot start another one, because the host's kernel cannot run its file.

    Attributes:
        target: the system.
        processor: a key of PROCESSORS. QEMU's "max" is not used, because LiteRT returns a wrong class with it.
        sites: folders with Python packages.
        niceness: of the process; jobs that only compute leave the cores to those with time limits.

    """

    target: Target
    processor: str
    sites: Sequence[Path]
    niceness: int = 10

    def python(self, *words: object, env: Mapping[str, str] | None = None, log: Path | None = None) -> str:
        """Run Python and return its standard output; with `log`, write the marks to that file.

        Raise CommandError if the exit code is not 0.
        """
        done = self.try_python(*words, env=env, log=log)
        if done.returncode:
            output = "\n".join((done.stdout + done.stderr).strip().splitlines()[-30:])
            where = f"{self.target.name} on {self.processor}"
            raise CommandError(f"{where}: {' '.join(map(str, words))[:200]}: exit code {done.returncode}\n{output}")
        return done.stdout

    def try_python(
        self, *words: object, env: Mapping[str, str] | None = None, log: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run Python as `python` does, and return the completed process with any exit code."""
        root = self.target.root()
        emulator = [program(self.target.qemu), "-cpu", self._cpu(), "-L", str(_prefix(root, self.processor))]
        command = ["nice", "-n", str(self.niceness), *emulator]
        if log:
            command += ["-plugin", str(_plugin()), "-d", "plugin", "-D", str(log)]
        command += [str(root / "usr" / "bin" / f"python{self.target.python}"), *map(str, words)]
        return subprocess.run(
            command,
            env={**self._environment(), **(env or {})},
            capture_output=True,
            text=True,
            check=False,
            timeout=LONGEST_S,
        )

    def _cpu(self) -> str:
        """Return QEMU's name of the processor; its 32-bit emulator has none of these processors, so "max" is used."""
        return "max" if self.target.qemu == "qemu-arm" else self.processor

    def _environment(self) -> dict[str, str]:
        """Return an environment that is the same on every host; threads and hash seeds would make counts vary."""
        return {
            "PATH": os.defpath,
            "HOME": "/nonexistent",
            "LANG": "C.UTF-8",
            "PYTHONPATH": os.pathsep.join(map(str, self.sites)),
            "PYTHONNOUSERSITE": "1",
            "PYTHONHASHSEED": "0",
            "OPENBLAS_NUM_THREADS": "1",
        }


def read_marks(log: Path) -> list[Mark]:
    """Read the marks from a log."""
    found = re.findall(r"^mark (\d+) (\d+)$", log.read_text(encoding="ascii"), re.MULTILINE)
    return [Mark(int(number), int(count)) for number, count in found]


def _prefix(root: Path, processor: str) -> Path:
    """Return a prefix for the guest's absolute paths: the root file system with the /proc/cpuinfo of a Pi."""

    def make(folder: Path) -> None:
        for part in root.iterdir():
            (folder / part.name).symlink_to(part)
        (folder / "proc").mkdir()
        (folder / "proc" / "cpuinfo").write_text(cpuinfo(processor))

    parts = sorted(part.name for part in root.iterdir())
    return cached("prefix", [str(root), parts, cpuinfo(processor)], make)


def _plugin() -> Path:
    def make(folder: Path) -> None:
        run(program("gcc"), "-O2", "-shared", "-fPIC", "-o", folder / "libicount.so", PLUGIN_SOURCE)

    return cached("icount", digest(PLUGIN_SOURCE), make) / "libicount.so"
