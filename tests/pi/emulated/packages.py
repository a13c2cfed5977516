"""Download Debian packages of another architecture and unpack them, without root access or changes to the host's apt.

Their maintainer scripts do not run; `_link` does the part of their work that is needed.
"""

from __future__ import annotations

import shutil
import sys
from functools import cache
from typing import TYPE_CHECKING

from emulated.bytecode import compile_all
from emulated.cache import cached
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


def unpack_packages(name: str, suite: str, architecture: str, packages: Sequence[str], python: str = "") -> Path:
    """Return a folder with packages of a Debian release and all their dependencies, unpacked.

    Args:
        name: a part of the folder's name.
        suite: the release, such as "bookworm".
        architecture: Debian's name of the architecture, such as "arm64".
        packages: the names; a package such as "linux-image-arm64" contains the kernel.
        python: version of Python for which the modules are compiled, such as "3.11"; "" compiles none.

    """

    def make(folder: Path) -> None:
        state = folder / ".apt"
        _configure_apt(state, suite, architecture)
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

    return cached(name, [suite, architecture, *packages, python, sys.version_info[:2]], make)


def _configure_apt(state: Path, suite: str, architecture: str) -> None:
    """Write the configuration and the empty state of a separate apt, for which no package is installed."""
    for part in ("lists/partial", "cache/archives/partial", "none"):
        (state / part).mkdir(parents=True)
    (state / "status").touch()
    (state / "apt.conf").write_text(CONFIGURATION.format(folder=state, architecture=architecture))
    (state / "sources.list").write_text(f"deb [signed-by={KEYRING}] {_mirror()} {suite} main\n")


def _link(folder: Path) -> None:
    """Create the links that Debian's installer and update-alternatives create."""
    for part in ("bin", "lib", "sbin"):
        if not (folder / part).exists():  # all packages of newer releases install below /usr
            (folder / part).symlink_to(f"usr/{part}")
    for library in folder.glob("usr/lib/*/*/lib*.so.3"):
        if library.parent.name in {"blas", "lapack"}:
            (library.parents[1] / library.name).symlink_to(library.relative_to(library.parents[1]))


@cache
def _mirror() -> str:
    """Return the address of this host's Debian mirror, which has every release. Raise CommandError if there is none."""
    listed = run(program("apt-get"), "indextargets", "--format", "$(SITE) $(COMPONENT)", "Created-By: Packages")
    for line in listed.splitlines():
        site, component = line.split()
        if component == "main" and site.rstrip("/").endswith("/debian"):
            return site
    raise CommandError("apt of this host has no source that ends in /debian; add a Debian mirror")
