"""Run programs of the host; the error of a failed program contains its output."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

# The programs that are needed in addition to Python, and the Debian packages that contain them.
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
    """A program is missing or failed."""


def program(name: str) -> str:
    """Return the path of a program. Raise CommandError with an install command if it is missing."""
    found = _path(name)
    if found is None:
        raise CommandError(_install_line([name]))
    return found


def missing_programs() -> str:
    """Return a line that names the missing programs and the command that installs them; empty if none is missing."""
    missing = [name for name in PROGRAMS if _path(name) is None]
    return _install_line(missing) if missing else ""


def run(*words: object, env: Mapping[str, str] | None = None, folder: Path | None = None) -> str:
    """Run a program and return its standard output. Raise CommandError if it fails."""
    command = [str(word) for word in words]
    environment = None if env is None else {**os.environ, **env}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=folder)
    if done.returncode:
        last = "\n".join((done.stderr or done.stdout).strip().splitlines()[-20:])
        raise CommandError(f"{' '.join(command)[:300]}: exit code {done.returncode}\n{last}")
    return done.stdout


def _path(name: str) -> str | None:
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *SBIN]))


def _install_line(names: Sequence[str]) -> str:
    packages = " ".join(sorted({PROGRAMS[name] for name in names}))
    return f"{', '.join(names)}: not installed; install with: sudo apt-get install --no-install-recommends {packages}"


if __name__ == "__main__":
    sys.exit(missing_programs() or None)
