"""Run the host's programs; a failure shows what they said."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

# Each program that is needed beside Python, and the Debian package that brings it.
PROGRAMS = {
    "apt-get": "apt",
    "dpkg-deb": "dpkg",
    "gcc": "gcc libc6-dev",
    "mke2fs": "e2fsprogs",
    "qemu-aarch64": "qemu-user",
    "qemu-arm": "qemu-user",
    "qemu-system-aarch64": "qemu-system-arm",
}
SBIN = ("/usr/sbin", "/sbin")


class CommandError(RuntimeError):
    """A program is missing or failed; the message says which and why."""


def program(name: str) -> str:
    """Give a program's path. Raises CommandError, with the line that installs it."""
    found = _path(name)
    if found is None:
        raise CommandError(_mend([name]))
    return found


def missing() -> str:
    """Give one line that names the programs which are not installed and installs them; empty when all are there."""
    absent = [name for name in PROGRAMS if _path(name) is None]
    return _mend(absent) if absent else ""


def run(*words: object, env: Mapping[str, str] | None = None, folder: Path | None = None) -> str:
    """Run a program to its end and give what it printed. Raises CommandError."""
    command = [str(word) for word in words]
    given = None if env is None else {**os.environ, **env}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=given, cwd=folder)
    if done.returncode:
        last = "\n".join((done.stderr or done.stdout).strip().splitlines()[-20:])
        raise CommandError(f"{' '.join(command)[:300]}: exit code {done.returncode}\n{last}")
    return done.stdout


def _path(name: str) -> str | None:
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *SBIN]))


def _mend(names: Sequence[str]) -> str:
    packages = " ".join(sorted({PROGRAMS[name] for name in names}))
    return f"{', '.join(names)} missing; sudo apt-get install --no-install-recommends {packages}"


if __name__ == "__main__":
    sys.exit(missing() or None)
