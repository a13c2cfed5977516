"""Run the host's programs; a failure shows what they said."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# Each program that is needed beside Python, and the Debian package that brings it.
PROGRAMS = {
    "apt-get": "apt",
    "dpkg-deb": "dpkg",
    "gcc": "gcc",
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
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *SBIN]))
    if found is None:
        raise CommandError(f"{name} is missing; apt-get install --no-install-recommends {PROGRAMS[name]}")
    return found


def run(*words: object, env: Mapping[str, str] | None = None, folder: Path | None = None) -> str:
    """Run a program to its end and give what it printed. Raises CommandError."""
    command = [str(word) for word in words]
    given = None if env is None else {**os.environ, **env}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=given, cwd=folder)
    if done.returncode:
        last = "\n".join((done.stderr or done.stdout).strip().splitlines()[-20:])
        raise CommandError(f"{' '.join(command)[:300]}: exit code {done.returncode}\n{last}")
    return done.stdout
