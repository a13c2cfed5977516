"""What an installed runtime takes on a device's card, by part, and what of it can be left out."""

from __future__ import annotations

import shutil
from importlib.metadata import distributions
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from emulated.targets import Target

ALLOWED = 1.03
LARGE_FILE = 5_000_000  # named beside its distribution
# Deleting these harms nothing that Edgewise does: an accelerator for graphics processors that a Pi has no driver for,
# NumPy's tests, type stubs and what builds extensions of it, and Pillow's AVIF, fonts and colour profiles.
UNNEEDED = (
    "ai_edge_litert/libLiteRtWebGpuAccelerator.so",
    "numpy/**/tests",
    "numpy/**/*.pyi",
    "numpy/f2py",
    "numpy/distutils",
    "numpy/*core/include",
    "numpy/*core/_simd*.so",
    "numpy/**/*.a",
    "PIL/_avif*.so",
    "PIL/_imagingcms*.so",
    "PIL/_imagingft*.so",
    "pillow.libs/libavif-*",
    "pillow.libs/libbrotli*",
    "pillow.libs/libfreetype-*",
    "pillow.libs/libharfbuzz-*",
    "pillow.libs/liblcms2-*",
)


def parts(sites: Sequence[Path]) -> dict[str, int]:
    """Give the bytes of each distribution's files as its wheel holds them; pip's compiled bytecode is not counted."""
    found = {}
    for distribution in distributions(path=list(map(str, sites))):
        files = (Path(str(distribution.locate_file(file))) for file in distribution.files or ())
        found[distribution.name.lower()] = sum(file.stat().st_size for file in files if file.is_file())
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def large_files(sites: Sequence[Path]) -> dict[str, int]:
    """Give the libraries that one would look at first to make it smaller."""
    sizes = {path.name: path.stat().st_size for site in sites for path in site.rglob("*.so*")}
    return {name: size for name, size in sorted(sizes.items(), key=lambda item: -item[1]) if size >= LARGE_FILE}


def debian_bytes(target: Target, plain: Target) -> int:
    """Give what Debian's packages of a target take beyond those of a plain one, all that they depend on included."""
    return _tree_bytes(target.root()) - _tree_bytes(plain.root())


def without_unneeded(site: Path, folder: Path) -> Path:
    """Copy what is installed, but for what is not needed, and give the copy."""
    shutil.copytree(site, folder, dirs_exist_ok=True)
    for pattern in UNNEEDED:
        found = list(folder.glob(pattern))
        if not found and (folder / pattern.partition("/")[0]).exists():
            raise FileNotFoundError(f"{pattern} names nothing that is installed")
        for path in found:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    return folder


def over_size(target: str, measured: Mapping[str, int], bound: int) -> Iterator[str]:
    """Say that an installation has grown by more than is allowed, and what its largest parts are."""
    total = sum(measured.values())
    if total > bound * ALLOWED:
        largest = ", ".join(f"{name} {size:,}" for name, size in list(measured.items())[:4])
        yield f"{target}: {total:,} bytes are installed, {total / bound - 1:.1%} more than {bound:,}: {largest}, ..."


def _tree_bytes(folder: Path) -> int:
    files = (path for path in folder.rglob("*") if path.suffix != ".pyc" and path.is_file() and not path.is_symlink())
    return sum(path.stat().st_size for path in files)
