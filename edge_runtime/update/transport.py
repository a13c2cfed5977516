"""Read the static files of a repository, over HTTP or from a folder, within limits of size and time."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tuf.api.exceptions import DownloadError, DownloadHTTPError, SlowRetrievalError
from tuf.ngclient import FetcherInterface

from edge_runtime.errors import DISK_FULL
from edge_runtime.storage.digest import sha256_of
from edge_runtime.storage.regular_files import FLAGS
from edge_runtime.update.release import UpdateError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from urllib3 import BaseHTTPResponse

    from edge_runtime.model.manifest import BundleFile

BLOCK = 1 << 16  # bytes
SILENCE_S = 30.0  # longest time without a byte
MIN_RATE = 1024  # bytes per second, after the first GRACE_S: a slower server would keep a device busy for days
GRACE_S = 30.0
NOT_FOUND = 404
PARTIAL, OK, RANGE_REFUSED = 206, 200, 416


class FolderFetcher(FetcherInterface):
    """Read the metadata from a folder, such as a mounted USB stick."""

    def _fetch(self, url: str) -> Iterator[bytes]:
        return _file_blocks(Path(url), 0)


class HttpFetcher(FetcherInterface):
    """Read the metadata over HTTP. TUF limits the size; this class limits the time."""

    def _fetch(self, url: str) -> Iterator[bytes]:
        return _paced(_http_blocks(url, 0)[1], url)


def is_url(location: str) -> bool:
    """Return whether a repository's location is an HTTP address, not a folder."""
    return location.lower().startswith(("http://", "https://"))


def fetcher_for(location: str) -> FetcherInterface:
    """Return what reads the metadata of a repository."""
    return HttpFetcher() if is_url(location) else FolderFetcher()


def download(location: str, file: BundleFile, partial: Path) -> None:
    """Download the content of a file to `partial`, continuing what an earlier attempt has left there.

    Args:
        location: the repository, a URL or a folder.
        file: its size and digest; neither more bytes nor another content are accepted.
        partial: the file to write. It is complete and checked when this returns.

    Raises:
        UpdateError: the file cannot be had, or is not what the release describes.

    """
    where = f"{location.rstrip('/')}/files/{file.sha256}"
    for attempt in range(2):
        _continue(where, file, partial)
        if partial.stat().st_size == file.size_bytes and sha256_of(partial) == file.sha256:
            return
        partial.unlink()  # its beginning was left by an attempt from another time: once more, from the beginning
        if attempt:
            raise UpdateError(
                f"{where}: its content is not the one that the release describes; the repository is damaged, "
                "or someone changed it"
            )


def _continue(where: str, file: BundleFile, partial: Path) -> None:
    """Append to `partial` what is missing; stop at the size that the release states."""
    have = partial.stat().st_size if partial.exists() else 0
    if partial.exists() and have >= file.size_bytes:
        return
    try:
        start, blocks = _http_blocks(where, have) if is_url(where) else (have, _file_blocks(Path(where), have))
        with partial.open("r+b" if have else "wb") as stream:
            stream.seek(start)
            stream.truncate()
            for block in _paced(blocks, where):
                if stream.tell() + len(block) > file.size_bytes:
                    raise UpdateError(f"{where}: more bytes than the {file.size_bytes} that the release states")
                stream.write(block)
            stream.flush()
            os.fsync(stream.fileno())
    except DownloadError as problem:
        raise UpdateError(explain(problem, where)) from None
    except OSError as problem:
        hint = "; free some space" if problem.errno in DISK_FULL else ""
        raise UpdateError(f"{partial}: cannot be written: {problem.strerror or problem}{hint}") from None


def explain(problem: BaseException, where: str) -> str:
    """Return in one line why a download failed."""
    if isinstance(problem, SlowRetrievalError):
        return f"{where}: the server sends too slowly or not at all; try again later"
    if isinstance(problem, DownloadHTTPError):
        reason = "not there" if problem.status_code == NOT_FOUND else f"refused with status {problem.status_code}"
        return f"{where}: {reason}; check the address of the repository"
    cause = problem.__cause__ or problem
    return f"{where}: cannot be read: {' '.join(str(cause).split()) or type(cause).__name__}"


def _file_blocks(path: Path, start: int) -> Iterator[bytes]:
    try:
        descriptor = os.open(path, FLAGS | os.O_NOFOLLOW)
    except FileNotFoundError:
        raise DownloadHTTPError(f"{path}: no such file", NOT_FOUND) from None
    except OSError as problem:
        raise DownloadError(str(path)) from problem
    return _blocks_of(descriptor, start)


def _blocks_of(descriptor: int, start: int) -> Iterator[bytes]:
    with os.fdopen(descriptor, "rb") as stream:
        stream.seek(start)
        while block := stream.read(BLOCK):
            yield block


def _http_blocks(url: str, start: int) -> tuple[int, Iterator[bytes]]:
    """Return the position at which the server's answer starts, and its blocks."""
    import urllib3

    headers = {
        "User-Agent": "edgewise",
        "Accept-Encoding": "identity",
        **({"Range": f"bytes={start}-"} if start else {}),
    }
    try:
        response = urllib3.request(
            "GET", url, headers=headers, preload_content=False, timeout=urllib3.Timeout(SILENCE_S), retries=2
        )
    except urllib3.exceptions.HTTPError as problem:
        reason = getattr(problem, "reason", None) or problem
        if isinstance(reason, urllib3.exceptions.TimeoutError):
            raise SlowRetrievalError(url) from problem
        raise DownloadError(f"{url}: {reason}") from reason
    if response.status not in {OK, PARTIAL}:
        response.close()
        if response.status == RANGE_REFUSED:  # the file is shorter than what is here: begin again
            return _http_blocks(url, 0)
        raise DownloadHTTPError(f"status {response.status}", response.status)
    return (start if response.status == PARTIAL else 0), _response_blocks(response, url)


def _response_blocks(response: BaseHTTPResponse, url: str) -> Iterator[bytes]:
    import urllib3

    try:
        while block := response.read1(BLOCK):  # read and stream would wait for a whole block
            yield block
    except urllib3.exceptions.TimeoutError as problem:
        raise SlowRetrievalError(url) from problem
    except urllib3.exceptions.HTTPError as problem:
        raise DownloadError(f"{url}: the connection broke off; run the command again to continue") from problem
    finally:
        response.close()


def _paced(blocks: Iterator[bytes], where: str) -> Iterator[bytes]:
    """Pass the blocks on; raise SlowRetrievalError for a server that trickles."""
    started, received = time.monotonic(), 0
    for block in blocks:
        received += len(block)
        elapsed = time.monotonic() - started
        if elapsed > GRACE_S and received < MIN_RATE * elapsed:
            raise SlowRetrievalError(where)
        yield block
