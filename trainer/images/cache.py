"""A cache of preprocessed pixels on disk, so that a second run decodes nothing.

CACHE/<key of spec>/<key of folder>/ contains pixels-*.npy, uint8 of shape (files, height, width, 3), read by memory
map, and index.json, with each row's file name, size, modification time, SHA-256, the reason if it is unusable, and a
checksum of its pixels. The index is written last and in one step, so everything that it lists is complete. Both are
checked when they are opened; what is damaged is read from the photographs again. A folder that was moved or copied is
found again by its files' digests.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import time
import uuid
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import PIL

from edge_runtime.storage.json_files import write_text
from trainer.images.paging import ROWS_HELD, release_pages
from trainer.images.pixels import Decoded, decode, decode_into, row_reader, run_rows
from trainer.progress import log

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_runtime.image.preprocess import Pixels
    from edge_runtime.model.spec import ModelSpec
    from trainer.data.layout import Found

Stamp = tuple[str, int, int]  # a row's name, size and changed_ns

CACHE_VERSION = 2  # increase when preprocessing gives other pixels, or the index changes
SPARE_BYTES = 64 * 2**20  # left free on the disk
UNUSED_S = 60 * 24 * 3600  # entries that were not used for this time are removed


class Row(NamedTuple):
    """One file of an index.

    Attributes:
        name: its path relative to the data folder.
        size: of the file in bytes; -1 if it could not be read.
        changed_ns: its modification time in nanoseconds.
        digest: SHA-256 of its bytes; empty if it could not be read.
        reason: why it is unusable; empty if it is usable.
        checksum: CRC-32 of its pixels; 0 if it is unusable.

    """

    name: str
    size: int
    changed_ns: int
    digest: str
    reason: str
    checksum: int


class Entry(NamedTuple):
    """The cached rows of one data folder, and pixels, uint8 of shape (rows, height, width, 3)."""

    rows: list[Row]
    pixels: Pixels


def default_cache() -> Path | None:
    """Return the default folder of caches, by the XDG base directory specification; None for a user without a home."""
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edgewise"
    except RuntimeError:
        return None


def cached_decode(folders: Sequence[Path], files: Sequence[Found], spec: ModelSpec, cache: Path) -> Decoded:
    """Read, check and preprocess files, as `decode` does, but only those that changed since the last run.

    Args:
        folders: the data folders.
        files: the files found in them.
        spec: the input size and resize mode.
        cache: the folder of caches.

    If the cache cannot be written, a warning is printed and nothing is cached.

    """
    places = [str(folder.resolve()) for folder in folders]
    place = cache / _key(spec) / _digest(places if len(places) > 1 else places[0])
    stamps = [_stamp(file) for file in files]
    entry = _checked(_read(place, spec, stamps))
    if entry is None:
        try:
            entry = _filled(place, files, stamps, spec)
            _remove_unused(cache)
        except OSError as problem:
            log(
                f"warning: {cache}: the cache cannot be written: {problem.strerror or problem}; nothing is cached; "
                "pass --cache DIR for another folder"
            )
            return decode(files, spec)
    with suppress(OSError):  # another user's cache may be read
        os.utime(place / "index.json")
    return Decoded(entry.pixels, [row.digest for row in entry.rows], [row.reason for row in entry.rows])


def _checked(entry: Entry | None) -> Entry | None:
    """Return an entry whose pixels have their checksums; None if some do not."""
    return entry if entry and not _damaged(entry) else None


def _damaged(entry: Entry) -> set[int]:
    """Return the rows whose pixels do not have their checksum."""

    def is_damaged(at: int) -> bool:
        """Return whether a row has other pixels than were written; memory of the rows before is released."""
        if at % ROWS_HELD == 0:
            release_pages(entry.pixels)
        row = entry.rows[at]
        return not row.reason and zlib.crc32(entry.pixels[at]) != row.checksum

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return {at for at, bad in enumerate(pool.map(is_damaged, range(len(entry.rows)))) if bad}


def _filled(place: Path, files: Sequence[Found], stamps: list[Stamp], spec: ModelSpec) -> Entry:
    """Fill an entry in one process at a time: another process that needs it waits, and then finds it filled."""
    place.mkdir(parents=True, exist_ok=True)
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if entry := _checked(_read(place, spec, stamps)):
            return entry
        return _write(place, _reusable(place, stamps, spec), files, stamps, spec)


def _remove_unused(cache: Path) -> None:
    for index in cache.glob("*/*/index.json"):
        with suppress(OSError):  # another process may have removed it
            if time.time() - index.stat().st_mtime > UNUSED_S:
                shutil.rmtree(index.parent)


def _key(spec: ModelSpec) -> str:
    return _digest([CACHE_VERSION, PIL.__version__, spec.height, spec.width, spec.resize, spec.crop_fraction])


def _digest(what: object) -> str:
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()[:32]


def _stamp(file: Found) -> Stamp:
    try:
        found = file.path.stat()
    except OSError:
        return (file.name, -1, 0)
    return (file.name, found.st_size, found.st_mtime_ns)


def _read(place: Path, spec: ModelSpec, stamps: list[Stamp] | None = None) -> Entry | None:
    """Read an entry.

    Return None if there is none, it is damaged, or it belongs to other files than those with `stamps`.
    """
    try:
        index = json.loads((place / "index.json").read_text(encoding="utf-8"))
        rows = [Row(*row) for row in index["rows"]]
        whole = index["checksum"] == _digest(rows)
        pixels = np.load(place / index["pixels"], mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, KeyError, TypeError, EOFError, SyntaxError, OverflowError):
        return None
    fits = pixels.dtype == np.uint8 and pixels.shape == (len(rows), spec.height, spec.width, 3)
    wanted = stamps is None or [row[:3] for row in rows] == stamps
    return Entry(rows, pixels) if whole and fits and wanted else None


def _reusable(place: Path, stamps: list[Stamp], spec: ModelSpec) -> Entry | None:
    """Return the folder's older entry, or else another folder's with the most files of equal name and size.

    Rows that cannot be used have an invalid size. Another folder's modification times are invalid, so that the bytes of
    each file are read and compared, but not decoded again.
    """
    entry = _read(place, spec) or _alike(place, stamps, spec)
    if entry is None:
        if (place / "index.json").exists():
            log(f"{place}: the cache is damaged; the photographs are read again")
        return None
    damaged = _damaged(entry)
    if damaged:
        log(f"{place.parent}: {len(damaged)} cached images are damaged; their photographs are read again")
    rows = [row._replace(size=-1, reason="damaged") if at in damaged else row for at, row in enumerate(entry.rows)]
    return entry._replace(rows=rows)


def _alike(place: Path, stamps: list[Stamp], spec: ModelSpec) -> Entry | None:
    """Return another folder's entry with the most files of equal name and size, with invalid modification times."""
    wanted = {stamp[:2] for stamp in stamps}
    entries = [entry for other in place.parent.glob("*") if (entry := _read(other, spec)) is not None]
    best = max(entries, key=lambda entry: sum(row[:2] in wanted for row in entry.rows), default=None)
    return best and best._replace(rows=[row._replace(changed_ns=-1) for row in best.rows])


def _write(place: Path, old: Entry | None, files: Sequence[Found], stamps: list[Stamp], spec: ModelSpec) -> Entry:
    name = f"pixels-{uuid.uuid4().hex}.npy"
    try:
        pixels = _room(place / name, (len(files), spec.height, spec.width, 3))
        results, checksums = _fill(pixels, old, files, stamps, spec)
        pixels.flush()
        rows = [Row(*row, *result, checksum) for row, result, checksum in zip(stamps, results, checksums, strict=True)]
        index = {"pixels": name, "rows": rows, "checksum": _digest(rows)}
        write_text(place / "index.json", json.dumps(index))
    except BaseException:
        (place / name).unlink(missing_ok=True)
        raise
    for other in place.glob("pixels-*.npy"):
        if other.name != name:
            other.unlink(missing_ok=True)
    return Entry(rows, np.load(place / name, mmap_mode="r", allow_pickle=False))


def _room(path: Path, shape: tuple[int, ...]) -> np.memmap[tuple[int, ...], np.dtype[np.uint8]]:
    """Open a file of pixels whose disk space is reserved.

    Writing to a memory map on a full disk would kill the process.
    """
    needed = int(np.prod(shape, dtype=np.int64))
    free = shutil.disk_usage(path.parent).free
    if free < needed + SPARE_BYTES:
        raise OSError(f"{needed // 2**20} MiB are needed and {free // 2**20} MiB are free")
    pixels = np.lib.format.open_memmap(path, "w+", np.uint8, shape)  # type: ignore[no-untyped-call] # numpy gives it no types
    with path.open("r+b") as stream:
        os.posix_fallocate(stream.fileno(), 0, path.stat().st_size)
    return pixels  # type: ignore[no-any-return] # the same


def _fill(
    pixels: Pixels,
    old: Entry | None,
    files: Sequence[Found],
    stamps: list[Stamp],
    spec: ModelSpec,
) -> tuple[list[tuple[str, str]], list[int]]:
    """Fill every row, from the older entry if its file, or its bytes, are the same.

    Return each row's digest and reason, and its checksum.
    """
    checksums = [0] * len(files)
    by_stamp = {row[:3]: at for at, row in enumerate(old.rows)} if old else {}
    by_digest = {row.digest: at for at, row in enumerate(old.rows) if not row.reason} if old else {}

    def fill(at: int) -> tuple[str, str]:
        """Fill one row; return its digest and reason."""
        if at % ROWS_HELD == 0:
            release_pages(pixels)
            if old is not None:
                release_pages(old.pixels)
        digest, reason = filled(at)
        checksums[at] = 0 if reason else zlib.crc32(pixels[at])
        return digest, reason

    def filled(at: int) -> tuple[str, str]:
        """Fill a row; return its file's digest, and why it has no pixels."""
        known = by_stamp.get(stamps[at])
        if old is not None and known is not None and stamps[at][1] >= 0:
            pixels[at] = old.pixels[known]
            return old.rows[known].digest, old.rows[known].reason
        content = row_reader(files[at])
        digest = hashlib.sha256(content).hexdigest() if isinstance(content, bytes) else ""
        same = by_digest.get(digest)
        if old is not None and same is not None and files[at].path.suffix == Path(old.rows[same].name).suffix:
            pixels[at] = old.pixels[same]
            return digest, ""
        return decode_into(pixels[at], content, files[at], spec)

    fresh = sum(stamp not in by_stamp for stamp in stamps)
    what = f"reading {fresh} of {len(files)} files" if old else f"reading {fresh} files"
    return run_rows(fill, len(files), what), checksums
