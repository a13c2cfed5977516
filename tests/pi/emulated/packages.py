"""Debian's packages for another architecture, unpacked into a folder: no root, no chroot, the host's apt untouched.

Their maintainer scripts do not run, so what these would set up must be done by hand where it is needed.
"""

from __future__ import annotations

import shutil
import sys
from functools import cache
from typing import TYPE_CHECKING

from emulated.bytecode import compile_all
from emulated.cache import kept
from emulated.commands import CommandError, program, run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
CONFIGURATION = """\
APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Retries "3";
Dir::State "{folder}";
Dir::State::lists "{folder}/lists";
Dir::State::status "{folder}/status";
Dir::Cache "{folder}/cache";
Dir::Log "{folder}";
Dir::Etc::sourcelist "{folder}/sources.list";
Dir::Etc::sourceparts "{folder}/none";
Dir::Etc::preferencesparts "{folder}/none";
"""


def unpacked(name: str, suite: str, architecture: str, packages: Sequence[str], python: str = "") -> Path:
    """Give a folder that holds some packages of a Debian release and all that they depend on.

    Args:
        name: for the folder.
        suite: the release, such as "bookworm".
        architecture: Debian's word for it, such as "arm64".
        packages: their names; "linux-image-arm64" and the like bring the kernel.
        python: whose modules are compiled, as their installation would; "" for none.

    """

    def make(folder: Path) -> None:
        state = folder / ".apt"
        _begin(state, suite, architecture)
        env = {"APT_CONFIG": str(state / "apt.conf")}
        run(program("apt-get"), "-qq", "update", env=env)
        run(
            program("apt-get"), "-qq", "-y", "--download-only", "--no-install-recommends", "install", *packages, env=env
        )
        for archive in sorted((state / "cache" / "archives").glob("*.deb")):
            run(program("dpkg-deb"), "-x", archive, folder)
            archive.unlink()
        shutil.rmtree(state)
        _link(folder)
        compile_all(folder / "usr" / "lib", python)

    return kept(name, [suite, architecture, *packages, python, sys.version_info[:2]], make)


def _begin(state: Path, suite: str, architecture: str) -> None:
    """Lay out the state of an apt of our own, which believes that nothing is installed."""
    for part in ("lists/partial", "cache/archives/partial", "none"):
        (state / part).mkdir(parents=True)
    (state / "status").touch()
    (state / "apt.conf").write_text(CONFIGURATION.format(folder=state, architecture=architecture))
    (state / "sources.list").write_text(f"deb [signed-by={KEYRING}] {_mirror()} {suite} main\n")


def _link(folder: Path) -> None:
    """Make the links that Debian's installer and update-alternatives would have made."""
    for part in ("bin", "lib", "sbin"):
        if not (folder / part).exists():  # a release whose packages all lie below /usr
            (folder / part).symlink_to(f"usr/{part}")
    for library in folder.glob("usr/lib/*/*/lib*.so.3"):
        if library.parent.name in {"blas", "lapack"}:
            (library.parents[1] / library.name).symlink_to(library.relative_to(library.parents[1]))


@cache
def _mirror() -> str:
    """Give the address from which this host gets Debian, which holds every release. Raises CommandError."""
    listed = run(program("apt-get"), "indextargets", "--format", "$(SITE) $(COMPONENT)", "Created-By: Packages")
    for line in listed.splitlines():
        site, component = line.split()
        if component == "main" and site.rstrip("/").endswith("/debian"):
            return site
    raise CommandError("this host's apt names no Debian mirror; the emulated Pis are made of Debian's packages")
