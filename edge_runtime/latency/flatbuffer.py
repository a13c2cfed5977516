"""Write FlatBuffers, the encoding of TFLite files: https://flatbuffers.dev/internals/.

A table is a dictionary from the number of a field, its position in the schema, to its value. The type of the value
decides how it is encoded: an int or a bool as a 32-bit integer, which also encodes every smaller type of the schema; a
float as float32; a string, bytes or an array as a vector; a dictionary as a table; a list of dictionaries as a vector
of tables.
"""

from __future__ import annotations

import struct
from typing import Any, TypeAlias

import numpy as np

Table: TypeAlias = "dict[int, Any]"
ALIGNMENT = 16  # of vectors: TFLite's kernels need it for weights


def encode(root: Table, identifier: bytes) -> bytes:
    """Return a file with a root table and a file identifier of four bytes."""
    out = bytearray(4) + identifier
    struct.pack_into("<I", out, 0, _write_table(out, root))
    return bytes(out)


def _write(out: bytearray, value: object) -> int:
    """Append a value that a field refers to, and return its position."""
    if isinstance(value, dict):
        return _write_table(out, value)
    if isinstance(value, list):
        return _write_tables(out, value)
    if isinstance(value, np.ndarray):
        return _write_vector(out, value.size, value.tobytes())
    content = value.encode() if isinstance(value, str) else bytes(value)  # type: ignore[call-overload]
    return _write_vector(out, len(content), content + b"\0")


def _write_table(out: bytearray, fields: Table) -> int:
    """Append a table, in which each field takes four bytes, after the list of the positions of its fields."""
    places = {number: 4 * place for place, number in enumerate(fields, start=1)}
    count, size = max(fields, default=-1) + 1, 4 + 4 * len(fields)
    listed = [places.get(number, 0) for number in range(count)]
    out += bytes(-len(out) % 4)
    start = len(out)
    out += struct.pack(f"<{2 + count}H", 4 + 2 * count, size, *listed)
    out += bytes(-len(out) % 4)
    table = len(out)
    out += struct.pack("<i", table - start) + bytes(size - 4)
    for number, value in fields.items():
        _fill(out, table + places[number], value)
    return table


def _fill(out: bytearray, position: int, value: object) -> None:
    if isinstance(value, int):
        struct.pack_into("<i", out, position, value)
    elif isinstance(value, float):
        struct.pack_into("<f", out, position, value)
    else:
        struct.pack_into("<I", out, position, _write(out, value) - position)


def _write_vector(out: bytearray, count: int, content: bytes) -> int:
    out += bytes((-len(out) - 4) % ALIGNMENT)
    position = len(out)
    out += struct.pack("<I", count) + content
    return position


def _write_tables(out: bytearray, tables: list[Table]) -> int:
    position = _write_vector(out, len(tables), bytes(4 * len(tables)))
    for place, table in enumerate(tables, start=1):
        _fill(out, position + 4 * place, table)
    return position
