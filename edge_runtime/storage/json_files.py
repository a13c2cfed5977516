"""JSON files: read them strictly, write them completely or not at all."""

from __future__ import annotations

import json
import math
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from edge_runtime.storage.regular_files import read_at_most

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from edge_runtime.errors import EdgeError

PARTIAL = ".partial"  # the end of a file's name until it is complete
MAX_JSON = 1 << 26  # bytes; the journal of a long training has a few MB


def read_json(path: Path, error: type[EdgeError]) -> dict[str, Any]:
    """Read a JSON object from a file of at most MAX_JSON bytes; see `parse_json`."""
    try:
        content = read_at_most(path, MAX_JSON)
    except FileNotFoundError:
        raise error(f"{path}: no such file") from None
    except OSError as problem:
        raise error(f"{path}: not readable as JSON: {problem.strerror or problem}") from None
    return parse_json(content, str(path), error)


def parse_json(content: bytes, where: str, error: type[EdgeError]) -> dict[str, Any]:
    """Parse a JSON object strictly: UTF-8, no key twice, no NaN, no number that a float cannot represent.

    Args:
        content: the text, encoded.
        where: names the file in errors.
        error: the EdgeError type to raise if the content is not such an object.

    Returns:
        The object, with string keys.

    """
    try:
        data = json.loads(
            content.decode("utf-8"),
            object_pairs_hook=_distinct,
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
    except (ValueError, RecursionError) as problem:
        raise error(f"{where}: not readable as JSON: {problem}") from None
    if not isinstance(data, dict):
        raise error(f"{where}: contains {type(data).__name__}, not a JSON object")
    return data


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"contains {next(name for name in names if names.count(name) > 1)!r} twice")
    return data


def _refuse_constant(name: str) -> None:
    raise ValueError(f"contains {name}, which JSON does not allow")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f"contains {digits[:20]}, which is too large")
    return number


def expect_keys(
    data: Mapping[str, Any],
    expected: Collection[str],
    where: str,
    error: type[EdgeError],
    optional: Collection[str] = (),
) -> None:
    """Raise `error`, naming the key, unless `data` has exactly the expected keys (and any optional ones)."""
    for key in expected:
        if key not in data:
            raise error(f"{where}: key {key!r} is missing; write the file again with this version of edgewise")
    for key in data:
        if key not in expected and key not in optional:
            known = ", ".join(sorted({*expected, *optional}))
            raise error(f"{where}: unknown key {key!r}; known keys are {known}")


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file as `write_bytes` does."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file so that a reader, also after a power failure, sees the old content or the new content."""
    partial = path.with_name(f".{path.name}{PARTIAL}")
    try:
        with partial.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    except OSError:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Write the entries of a folder to the storage device."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write a JSON object completely; equal data gives equal bytes. NaN and infinity raise ValueError."""
    write_text(path, json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
