"""The process that `export.importing.process` starts: FOLDER.

It reads work.json and writes model.pb and facts.json, or error.txt.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.errors import EdgeError

if TYPE_CHECKING:
    from export.importing.graph import ImportedGraph

ERROR, FACTS, GRAPH, WORK = "error.txt", "facts.json", "model.pb", "work.json"


def read_model(path: Path, scratch: Path) -> ImportedGraph:
    """Read a model of unknown origin in this process; see `export.importing.process.import_model`."""
    if path.is_dir():
        from export.importing.saved_model import import_saved_model

        return import_saved_model(path)
    from export.importing.keras_files import import_keras_file

    return import_keras_file(path, scratch)


def main(folder: Path) -> int:
    """Import; return 0, or 1 with the reason in error.txt."""
    work = json.loads((folder / WORK).read_text(encoding="utf-8"))
    try:
        imported = read_model(Path(work["path"]), folder)
    except EdgeError as problem:
        (folder / ERROR).write_text(str(problem), encoding="utf-8")
        return 1
    (folder / GRAPH).write_bytes(imported.content)
    facts = {name: value for name, value in vars(imported).items() if name != "content"}
    (folder / FACTS).write_text(json.dumps(facts), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
