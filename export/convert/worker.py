"""The process that `export.convert.processes` starts: FOLDER. Read work.json, write the files, now.txt or error.txt."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from edge_runtime.errors import EdgeError
from edge_runtime.model.spec import ModelSpec
from export.convert.converter import Converter
from export.convert.processes import ERROR, NOW
from export.settings import Settings
from export.sources.keras_model import ModelFile, open_classifier
from export.sources.reading import Reading


def main(folder: Path) -> int:
    """Convert; return 0, or 1 with the reason in error.txt."""
    work = json.loads((folder / "work.json").read_text(encoding="utf-8"))
    spec = ModelSpec.from_json(work["spec"])
    with np.load(work["images"]) as images:
        calibration, unseen = images["calibration"], images.get("unseen")
    paths = {name: Path(path) for name, path in work["model"].items() if name in {"path", "familiarity"} and path}
    origin = ModelFile(**{**work["model"], **paths, "reading": Reading(**work["model"]["reading"])})
    try:
        model = open_classifier(origin, len(spec.labels))
        converter = Converter(model, spec, calibration, folder, Settings(**work["settings"]), unseen=unseen)
        for name in work["names"]:
            (folder / NOW).write_text(name, encoding="utf-8")
            converter.write(name, **work["form"])
    except EdgeError as problem:
        (folder / ERROR).write_text(str(problem), encoding="utf-8")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
