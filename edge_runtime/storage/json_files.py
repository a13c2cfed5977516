"""JSON files: read them strictly, write them completely or not at all."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from edge_runtime.errors import EdgeError


def read_json(path: Path, error: type[EdgeError]) -> dict[str, Any]:
    """Read a JSON object.

    Args:
        path: the file.
        error: the EdgeError type to raise if the file is not a readable JSON object.

    Returns:
        The object, with string keys.

    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise error(f"{path}: no such file") from None
    except (OSError, ValueError, RecursionError) as problem:
        raise error(f"{path}: not readable as JSON: {problem}") from None
    if not isinstance(data, dict):
        raise error(f"{path}: contains {type(data).__name__}, not a JSON object")
    return data


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
    """Write a UTF-8 file under a temporary name and rename it, so that no reader sees half of it."""
    beside = path.with_name(f".{path.name}.partial")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write a JSON object completely; equal data gives equal bytes. NaN and infinity raise ValueError."""
    write_text(path, json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
