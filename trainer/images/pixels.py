"""Read, check, hash and preprocess every photograph in one pass, in threads, because Pillow releases the GIL."""

from __future__ import annotations

import hashlib
import io
import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image

from edge_runtime.errors import SourceError
from edge_runtime.image.preprocess import FORMATS, preprocess
from edge_runtime.storage.regular_files import read_at_most
from trainer.progress import tracked

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge_runtime.image.preprocess import Pixels
    from edge_runtime.model.spec import ModelSpec
    from trainer.data.layout import Found

MAX_FILE_BYTES = 2**28  # several times the largest photograph that is decoded; a file is read as a whole
# The formats that a file with this extension may have. An MPO is a JPEG that is followed by further JPEGs.
CONTENT_OF = {
    ".jpg": ("JPEG", "MPO"),
    ".jpeg": ("JPEG", "MPO"),
    ".jpe": ("JPEG", "MPO"),
    ".jfif": ("JPEG", "MPO"),
    ".mpo": ("MPO", "JPEG"),
    ".png": ("PNG",),
    ".bmp": ("BMP",),
    ".webp": ("WEBP",),
    ".gif": ("GIF",),
}


class Decoded(NamedTuple):
    """Photographs as arrays, one row for each file, in the given order.

    Attributes:
        pixels: uint8 of shape (files, height, width, 3), 0..255; a row with a reason is not meaningful.
        digests: SHA-256 of each file's bytes; empty if it could not be read.
        reasons: why a file is unusable; empty if it is usable.

    """

    pixels: Pixels
    digests: list[str]
    reasons: list[str]


def decode(files: Sequence[Found], spec: ModelSpec) -> Decoded:
    """Read, check and preprocess files, each once.

    Args:
        files: the files; progress is reported on stderr.
        spec: the input size and resize mode.

    """
    pixels = np.empty((len(files), spec.height, spec.width, 3), np.uint8)

    def decode_row(at: int) -> tuple[str, str]:
        return decode_into(pixels[at], row_reader(files[at]), files[at], spec)

    results = run_rows(decode_row, len(files), f"reading {len(files)} files")
    return Decoded(pixels, [digest for digest, _ in results], [reason for _, reason in results])


def run_rows(work: Callable[[int], tuple[str, str]], count: int, what: str) -> list[tuple[str, str]]:
    """Call `work` for each row, on all cores, with progress on stderr; return its results in order."""
    with warnings.catch_warnings(), ThreadPoolExecutor(os.cpu_count()) as pool:
        warnings.filterwarnings(
            "ignore", module="PIL"
        )  # a damaged EXIF block or an unusual palette does not change the pixels
        return list(tracked(pool.map(work, range(count)), count, what))


def row_reader(file: Found) -> bytes | OSError | None:
    """Read a file's bytes; return None if its name is not that of a photograph, the error if it cannot be read."""
    if file.path.suffix.lower() not in CONTENT_OF:
        return None
    try:
        return read_at_most(file.path, MAX_FILE_BYTES)
    except OSError as problem:
        return problem


def decode_into(row: Pixels, content: bytes | OSError | None, file: Found, spec: ModelSpec) -> tuple[str, str]:
    """Fill one row of shape (height, width, 3) from the result of `row_reader`; return its digest and reason, or ""."""
    extension = file.path.suffix.lower()
    if content is None:
        return (
            "",
            f"not a photograph by its name ({extension or 'no extension'}); JPEG, PNG, BMP, GIF and WebP are supported",
        )
    if isinstance(content, OSError):
        return "", f"cannot be read: {content.strerror or content}"
    try:
        row[:] = preprocess(content, spec)
    except SourceError as problem:
        return "", str(problem).removeprefix("image bytes: ")
    return hashlib.sha256(content).hexdigest(), _misnamed(content, extension)


def _misnamed(content: bytes, extension: str) -> str:
    with Image.open(io.BytesIO(content), formats=FORMATS) as image:
        if image.format in CONTENT_OF[extension]:
            return ""
        return f"wrong extension: {image.format} data in a {extension} file; rename it"
