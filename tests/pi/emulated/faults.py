"""Faults that are inserted into a copy of the runtime; the checks must detect each."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path


class Fault(NamedTuple):
    """One change of the runtime's code.

    Attributes:
        name: a name for the folder of the copy.
        module: the file, relative to `edge_runtime/`.
        original: text that occurs once in the file.
        replacement: the text that replaces it.

    """

    name: str
    module: str
    original: str
    replacement: str


HEAVY_IMPORT = Fault(
    "heavy-import",
    "__init__.py",
    "from importlib import import_module\n",
    "import ai_edge_litert.interpreter\nfrom importlib import import_module\n",
)
WRONG_RESIZE = Fault("wrong-resize", "image/preprocess.py", "Image.Resampling.BILINEAR", "Image.Resampling.NEAREST")
# Resizing is a tenth of the cost of a 640x480 frame.
RESIZED_TWICE = Fault(
    "resized-twice",
    "image/preprocess.py",
    "        pixels = np.asarray(_resized(image, target, _region(image.size, spec)))",
    "        np.asarray(_resized(image, target, _region(image.size, spec)))\n"
    "        pixels = np.asarray(_resized(image, target, _region(image.size, spec)))",
)
# Black frames are yielded after the stream was lost.
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


def copy_with_fault(runtime: Path, folder: Path, fault: Fault) -> Path:
    """Copy the runtime into a folder, with a fault. Raise ValueError if the original text does not occur once."""
    shutil.copytree(runtime, folder, dirs_exist_ok=True)
    path = folder / "edge_runtime" / fault.module
    text = path.read_text(encoding="utf-8")
    if text.count(fault.original) != 1:
        raise ValueError(f"{fault.module} contains {fault.original!r} {text.count(fault.original)} times, not once")
    path.write_text(text.replace(fault.original, fault.replacement), encoding="utf-8")
    return folder
