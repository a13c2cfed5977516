"""Faults that are put into a copy of the runtime: the checks must find each."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path


class Fault(NamedTuple):
    """One change of the runtime's code.

    Attributes:
        name: for a folder.
        module: the file.
        right: what stands there, once.
        wrong: what stands there then.

    """

    name: str
    module: str
    right: str
    wrong: str


HEAVY_IMPORT = Fault(
    "heavy-import",
    "__init__.py",
    "from importlib import import_module\n",
    "import ai_edge_litert.interpreter\nfrom importlib import import_module\n",
)
WRONG_RESIZE = Fault("wrong-resize", "image/preprocess.py", "Image.Resampling.BILINEAR", "Image.Resampling.NEAREST")
# Of a 640x480 frame the resizing is a tenth.
RESIZED_TWICE = Fault(
    "resized-twice",
    "image/preprocess.py",
    "    return np.asarray(_resized(image, target, _region(image.size, spec)))",
    "    np.asarray(_resized(image, target, _region(image.size, spec)))\n"
    "    return np.asarray(_resized(image, target, _region(image.size, spec)))",
)
# A lost stream becomes black frames.
ERROR_IGNORED = Fault(
    "error-ignored",
    "live/sources/video.py",
    '            raise SourceError(f"{self.name}: cannot be read: {problem.strerror}") from None',
    """\
            import numpy as np

            for number in range(10**6, 10**9):
                time.sleep(0.1)
                yield Frame(self.name, number, np.zeros((480, 640, 3), np.uint8), time.time(), time.monotonic())""",
)


def sabotaged(runtime: Path, folder: Path, fault: Fault) -> Path:
    """Copy the runtime into a folder with a fault. Raises ValueError where that changes nothing, and proves nothing."""
    shutil.copytree(runtime, folder, dirs_exist_ok=True)
    path = folder / "edge_runtime" / fault.module
    text = path.read_text(encoding="utf-8")
    if text.count(fault.right) != 1:
        raise ValueError(f"{fault.module} holds {fault.right!r} {text.count(fault.right)} times, not once")
    path.write_text(text.replace(fault.right, fault.wrong), encoding="utf-8")
    return folder
