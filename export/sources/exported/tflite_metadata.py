"""Read TFLite Metadata: the labels, the normalization and the order of channels that a file states about itself.

The schema with the field numbers used below:
https://github.com/google-ai-edge/mediapipe/blob/master/mediapipe/tasks/metadata/metadata_schema.fbs
"""

from __future__ import annotations

import re
import zipfile
from typing import TYPE_CHECKING, Any

from export.sources.exported.statements import Statements, reading_of
from export.sources.exported.tflite_ends import load

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

METADATA = b"TFLITE_METADATA"
# Fields of the tables, and positions in their unions and enumerations.
SUBGRAPHS, INPUTS, OUTPUTS = 3, 2, 3
DESCRIPTION, CONTENT, PROCESS_UNITS, FILES = 1, 3, 4, 6
NORMALIZATION, AXIS_LABELS, IMAGE, RGB = 1, 2, 2, 1
OWN_DESCRIPTION = re.compile(r"(?:RGB|grey) pixels 0\.\.255, (stretch|crop|pad) to ")
MOST_LABEL_BYTES = 10_000_000


def read_tflite_metadata(path: Path) -> Statements:
    """Return what a TFLite file states about itself; nothing if it has no readable metadata."""
    model = load(path)
    buffers = [model.buffers[entry.buffer].data for entry in model.metadata or [] if entry.name == METADATA]
    if not buffers or buffers[0] is None:
        return Statements()
    try:
        return _parse(bytes(buffers[0]), path)
    except Exception:  # noqa: BLE001 - damaged metadata states nothing; the parser raises struct.error and others
        return Statements()


def _parse(content: bytes, path: Path) -> Statements:
    import flatbuffers

    root = flatbuffers.table.Table(content, int.from_bytes(content[:4], "little"))
    (graph, *_) = _tables(root, SUBGRAPHS)
    taken, given = (next(iter(_tables(graph, field)), None) for field in (INPUTS, OUTPUTS))
    reading, resize, labels = None, None, None
    if taken is not None:
        own = OWN_DESCRIPTION.match(_text(taken, DESCRIPTION))
        resize = own[1] if own else None
        for unit in _tables(taken, PROCESS_UNITS):
            if _byte(unit, 0) == NORMALIZATION:
                options = _table(unit, 1)
                reading = reading_of(_floats(options, 0), _floats(options, 1), "metadata")
    if given is not None:
        names = [_text(file, 0) for file in _tables(given, FILES) if _byte(file, 2) == AXIS_LABELS]
        labels = _labels(path, names[0]) if names else None
    return Statements("metadata", labels, reading, resize, taken is not None and _states_order(taken))


def _states_order(taken: Any) -> bool:  # noqa: ANN401 - flatbuffers is not typed
    """Return whether the content of an input is an RGB image."""
    if not _offset(taken, CONTENT):
        return False
    content = _table(taken, CONTENT)
    return _byte(content, 0) == IMAGE and _byte(_table(content, 1), 0) == RGB


def _labels(path: Path, name: str) -> tuple[str, ...] | None:
    """Read a list of labels from the archive at the end of the file."""
    with zipfile.ZipFile(path) as archive:
        if archive.getinfo(name).file_size > MOST_LABEL_BYTES:
            return None
        lines = archive.read(name).decode("utf-8-sig").splitlines()
    return tuple(line.strip() for line in lines if line.strip()) or None


def _offset(table: Any, field: int) -> int:  # noqa: ANN401 - flatbuffers is not typed
    """Return the position of a field, or 0 if the table does not have it."""
    found: int = table.Offset(4 + 2 * field)
    return found + table.Pos if found else 0


def _tables(table: Any, field: int) -> Iterator[Any]:  # noqa: ANN401 - the same
    """Yield the tables of a field that is a vector of tables."""
    import flatbuffers

    found = table.Offset(4 + 2 * field)
    if not found:
        return
    start = table.Vector(found)
    for index in range(table.VectorLen(found)):
        yield flatbuffers.table.Table(table.Bytes, table.Indirect(start + 4 * index))


def _table(table: Any, field: int) -> Any:  # noqa: ANN401 - the same
    import flatbuffers

    return flatbuffers.table.Table(table.Bytes, table.Indirect(_offset(table, field)))


def _text(table: Any, field: int) -> str:  # noqa: ANN401 - the same
    at = _offset(table, field)
    return table.String(at).decode() if at else ""


def _byte(table: Any, field: int) -> int:  # noqa: ANN401 - the same
    at = _offset(table, field)
    return int(table.Bytes[at]) if at else 0


def _floats(table: Any, field: int) -> tuple[float, ...]:  # noqa: ANN401 - the same
    import flatbuffers

    found = table.Offset(4 + 2 * field)
    if not found:
        return ()
    start, kind = table.Vector(found), flatbuffers.number_types.Float32Flags
    return tuple(float(table.Get(kind, start + 4 * index)) for index in range(table.VectorLen(found)))
