"""Measure the size of an installed runtime by distribution, and delete the files that are not needed."""

from __future__ import annotations

import re
import shutil
from importlib.metadata import distributions
from pathlib import Path
from typing import TYPE_CHECKING

from emulated.commands import run
from emulated.inputs import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from emulated.targets import Target

ALLOWED = 1.03
LARGE_FILE = 5_000_000  # bytes; larger libraries are listed
MANUAL = PROJECT / "docs" / "pi.md"


def distribution_bytes(sites: Sequence[Path]) -> dict[str, int]:
    """Return the size in bytes of each distribution's files in its wheel, largest first; bytecode is not counted."""
    found = {}
    for distribution in distributions(path=list(map(str, sites))):
        files = (Path(str(distribution.locate_file(file))) for file in distribution.files or ())
        found[distribution.name.lower()] = sum(file.stat().st_size for file in files if file.is_file())
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def large_files(sites: Sequence[Path]) -> dict[str, int]:
    """Return the sizes in bytes of the shared libraries of at least LARGE_FILE bytes, largest first."""
    sizes = {path.name: path.stat().st_size for site in sites for path in site.rglob("*.so*")}
    return {name: size for name, size in sorted(sizes.items(), key=lambda item: -item[1]) if size >= LARGE_FILE}


def debian_bytes(target: Target, plain: Target) -> int:
    """Return by how many bytes the Debian packages of a target exceed those of a plain one, with dependencies."""
    return _tree_bytes(target.root()) - _tree_bytes(plain.root())


def without_unneeded(site: Path, folder: Path) -> Path:
    """Copy an installation, run the lines of the manual that delete unneeded files, and return the copy."""
    copy = folder / ".venv" / "lib" / "python3" / "site-packages"
    shutil.copytree(site, copy)
    (lines,) = re.findall(r"^```sh\n(cd \.venv/.*?)^```$", MANUAL.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    run("bash", "-e", "-c", lines, folder=folder)
    return copy


def size_problems(target: str, measured: Mapping[str, int], bound: int) -> Iterator[str]:
    """Yield a line with the largest distributions if an installation exceeds its budget."""
    total = sum(measured.values())
    if total > bound * ALLOWED:
        largest = ", ".join(f"{name} {size:,}" for name, size in list(measured.items())[:4])
        yield f"{target}: {total:,} bytes are installed, {total / bound - 1:.1%} more than {bound:,}: {largest}, ..."


def _tree_bytes(folder: Path) -> int:
    files = (path for path in folder.rglob("*") if path.suffix != ".pyc" and path.is_file() and not path.is_symlink())
    return sum(path.stat().st_size for path in files)
