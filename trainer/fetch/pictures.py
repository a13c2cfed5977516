"""Fetch what is new from a device into a data folder."""

from __future__ import annotations

import io
import os
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

from edge_runtime.storage.digest import sha256_of
from edge_runtime.storage.json_files import sync_folder
from trainer.errors import DataError
from trainer.fetch.listed import MOST_ON_PAGE, parse_page
from trainer.progress import log

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from trainer.fetch.connection import Device
    from trainer.fetch.listed import Listed

MOST_LIST_BYTES = 8_000_000
MOST_PAGES = 10_000
SPARE_BYTES = 64 * 2**20  # left free on the disk
LOGGED_EVERY = 100
MEGABYTE = 1_000_000


@dataclass
class Fetched:
    """What was done.

    Attributes:
        new: number of fetched pictures.
        new_bytes: their size.
        present: number of pictures that were there already.
        elsewhere: names of pictures that are in another class folder here, and were left there.
        different: names of pictures that have another content here, and were left as they are.
        refused: why entries of the device's list were not used.

    """

    new: int = 0
    new_bytes: int = 0
    present: int = 0
    elsewhere: list[str] = field(default_factory=list)
    different: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


def fetch(device: Device, out: Path, *, most_bytes: int) -> Fetched:
    """Fetch the pictures that a data folder does not contain yet; each appears complete or not at all.

    Args:
        device: the device.
        out: the data folder, with one folder per class; it is created if needed. Pictures that are in another class
            folder than on the device were sorted here, and are left there.
        most_bytes: the maximum size of all new pictures.

    Raises:
        DataError: the device cannot be reached, what it sends is not what it listed, or there is too little space.

    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        here = {path.name: path for path in sorted(out.glob("[!.]*/[!.]*")) if path.is_file()}
        done = Fetched()
        for picture in _list(device, done):
            known = here.get(picture.name)
            if known is None:
                _check_space(out, picture, done, most_bytes)
                here[picture.name] = _store(device, out / picture.label, picture)
                done.new, done.new_bytes = done.new + 1, done.new_bytes + picture.size
                if done.new % LOGGED_EVERY == 0:
                    log(f"{done.new} pictures fetched, {done.new_bytes // MEGABYTE} MB")
            elif known.stat().st_size != picture.size or sha256_of(known) != picture.sha256:
                done.different.append(f"{known.parent.name}/{known.name}")
            elif known.parent.name != picture.label:
                done.elsewhere.append(f"{known.parent.name}/{known.name} ({picture.label} on the device)")
            else:
                done.present += 1
    except OSError as problem:
        raise DataError(
            f"{problem.filename or out}: {problem.strerror or problem}; make room, or pass another --out"
        ) from None
    finally:
        device.close()
    return done


def _list(device: Device, done: Fetched) -> Iterator[Listed]:
    """Yield what the device lists, page by page; what is not valid is added to the refused entries."""
    after: str | None = None
    for _ in range(MOST_PAGES):
        buffer = io.BytesIO()
        query = "" if after is None else f"?after={quote(after, safe='')}"
        where = device.read(f"/review/list{query}", MOST_LIST_BYTES, buffer)
        page = parse_page(buffer.getvalue(), where)
        done.refused += page.refused
        yield from page.pictures
        if page.following is None:
            return
        if page.following == after:
            raise DataError(f"{where}: the list does not advance; update edge-run on the device")
        after = page.following
    raise DataError(f"the list has more than {MOST_PAGES} pages of up to {MOST_ON_PAGE} pictures")


def _check_space(out: Path, picture: Listed, done: Fetched, most_bytes: int) -> None:
    if done.new_bytes + picture.size > most_bytes:
        raise DataError(
            f"{out}: {done.new} pictures of {done.new_bytes // MEGABYTE} MB were fetched; the next one exceeds the "
            f"limit of {most_bytes // MEGABYTE} MB; repeat the command to continue, or raise --max-mb"
        )
    free = shutil.disk_usage(out).free
    if free < picture.size + SPARE_BYTES:
        raise DataError(f"{out}: only {free // MEGABYTE} MB are free on its disk; make room and repeat the command")


def _store(device: Device, folder: Path, picture: Listed) -> Path:
    """Fetch one picture, compare it with the list, and give it its name; return its path."""
    folder.mkdir(exist_ok=True)
    path = folder / picture.name
    partial = folder / f".{picture.name}.partial"
    try:
        with partial.open("w+b") as stream:
            where = device.read(f"/review/file/{quote(picture.label, safe='')}/{picture.name}", picture.size, stream)
            stream.flush()
            os.fsync(stream.fileno())
        if partial.stat().st_size != picture.size or sha256_of(partial) != picture.sha256:
            raise DataError(f"{where}: its content is not what the list says; repeat the command")
        partial.rename(path)
    finally:
        partial.unlink(missing_ok=True)
    sync_folder(folder)
    return path
