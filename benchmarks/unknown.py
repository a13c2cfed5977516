"""How well does a model recognize what it was not trained on, in the RUN and in the exported files?

    python benchmarks/unknown.py DATA OTHER --weights FILE [--seeds 5] [--models NAME ...] [--keep-runs DIR]
        [--out benchmarks/results/unknown.json]

DATA and OTHER are two sets of photographs, each with one folder for each class. For each set, model and seed, trains a
RUN, measures its familiarity on the other set, on drawn scenes and on the photographs of scikit-image, and, for the
first model, exports three files and runs each on the same images. Adds its rows to the file's older ones.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

# The benchmark export.py would hide the package of that name.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import machine
import numpy as np

ARTIFACTS = ("float32.tflite", "int8.tflite", "int8.onnx")
SCENES, SCENES_SEED = 200, 99  # not the scenes that the training itself measures
ROUNDS = 1500  # of the measurement of the cost
OPTIONS = {
    "mobilenet_v2": [],
    "cnn_bn": ["--augment", "photo"],
    "cnn": ["--augment", "gentle"],
}


def command(module: str, *words: object) -> str:
    """Run a command and return its standard output."""
    done = subprocess.run([sys.executable, "-m", module, *map(str, words)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr.strip().splitlines()[-1])
    return done.stdout


def measure_files(bundle: Path, run: Path, other: Path) -> dict[str, Any]:
    """Return for each artifact what it keeps of the test photographs and accepts of each kind of other images."""
    from edge_runtime.familiarity.scenes import drawn_pixels
    from edge_runtime.image.preprocess import preprocess
    from edge_runtime.model.bundle import Bundle
    from export.runtimes.process import run_on_device
    from trainer.data.unfamiliar import package_pixels, pictures_in

    opened = Bundle.open(bundle)
    spec = opened.spec
    with np.load(run / "holdout.npz") as arrays:
        known, labels = arrays["pixels"], arrays["labels"]
    kinds = {
        "other set": np.stack([preprocess(path, spec) for path in pictures_in(other)]),
        "drawn scenes": drawn_pixels(SCENES, spec, SCENES_SEED),
        "scikit-image": package_pixels(spec),
    }
    rows = {}
    for name in ARTIFACTS:
        path, backend = bundle / f"model.{name}", "onnx" if name.endswith("onnx") else "litert"

        def familiarity(pixels: Any, path: Path = path, backend: Any = backend) -> tuple[Any, Any]:  # noqa: ANN401
            found = run_on_device(path, spec, pixels, backend).probabilities
            return found.sum(axis=1), found.argmax(axis=1)

        sums, decided = familiarity(known)
        kept, limit = sums >= spec.min_familiarity, np.quantile(sums, 0.05)
        found = {kind: familiarity(pixels)[0] for kind, pixels in kinds.items() if pixels is not None}
        rows[name] = {
            "size_bytes": path.stat().st_size,
            "kept": float(kept.mean()),
            "accuracy": float(np.mean(decided == labels)),
            "accuracy_of_kept": float(np.mean((decided == labels)[kept])),
            "accepted": {kind: float(np.mean(values >= spec.min_familiarity)) for kind, values in found.items()},
            "fpr95": {kind: float(np.mean(values >= limit)) for kind, values in found.items()},
            "auroc": {kind: auroc(sums, values) for kind, values in found.items()},
        }
    return rows


def auroc(known: Any, other: Any) -> float:  # noqa: ANN401 - NumPy arrays
    """Return the probability that a photograph is more familiar than another image."""
    from sklearn.metrics import roc_auc_score

    truth = np.concatenate([np.ones(len(known)), np.zeros(len(other))])
    return float(roc_auc_score(truth, np.concatenate([known, other])))


def one_run(data: Path, other: Path, model: str, seed: int, weights: Path, folder: Path) -> dict[str, Any]:
    """Train one RUN and return its row."""
    run, bundle = folder / "run", folder / "bundle"
    augment = [] if model != "mobilenet_v2" or data.name == "cats-dogs" else ["--augment", "none"]
    backbone = ["--weights", weights] if model.startswith("mobilenet") else []
    options = [*OPTIONS[model], *augment, *backbone]
    command("trainer.cli", "train", data, "--model", model, "--seed", seed, "--out", run, *options)
    metrics = json.loads((run / "metrics.json").read_text())
    row = {"data": data.name, "model": model, "seed": seed, "accuracy": metrics["test"]["accuracy"]}
    row["familiarity"] = metrics["familiarity"]
    if not metrics["familiarity"]["used"]:
        return row
    measured = json.loads(command("trainer.cli", "evaluate", run, "--unfamiliar", other, "--json"))["familiarity"]
    row["other_set"] = next(iter(measured["separation"].values()))
    if model == "mobilenet_v2":
        command("export.cli", "export", run, "--out", bundle, "--formats", *ARTIFACTS)
        row["files"] = measure_files(bundle, run, other)
    return row


def cost(data: Path, weights: Path) -> dict[str, Any]:
    """Return what the familiarity adds to int8.tflite: its bytes and its time, from two exports of one RUN."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        run = Path(scratch) / "run"
        command("trainer.cli", "train", data, "--weights", weights, "--out", run)
        plain = Path(shutil.copytree(run, Path(scratch) / "plain"))
        (plain / "familiarity.npz").unlink()
        for name, source in (("with", run), ("without", plain)):
            bundle = Path(scratch) / f"bundle-{name}"
            command("export.cli", "export", source, "--out", bundle, "--formats", "int8.tflite")
            found[f"{name}_bytes"] = (bundle / "model.int8.tflite").stat().st_size
        files = {name: str(Path(scratch) / f"bundle-{name}" / "model.int8.tflite") for name in ("with", "without")}
        return {**found, **paired_times(files, ROUNDS)}


def paired_times(files: dict[str, str], rounds: int) -> dict[str, float]:
    """Return the median time of the file "with" and of the file "without", and the median of the ratio in each round.

    Both run in each round, in alternating order, so that other load affects them alike.
    """
    from ai_edge_litert.interpreter import Interpreter

    models = {name: Interpreter(file, num_threads=1) for name, file in files.items()}
    for model in models.values():
        model.allocate_tensors()
        details = model.get_input_details()[0]
        model.set_tensor(details["index"], np.zeros(details["shape"], details["dtype"]))
        model.invoke()
    times_ms: dict[str, list[float]] = {name: [] for name in models}
    for number in range(rounds):
        for name in sorted(models, reverse=bool(number % 2)):
            start_s = time.perf_counter()
            models[name].invoke()
            times_ms[name].append((time.perf_counter() - start_s) * 1e3)
    ratio = float(np.median(np.divide(times_ms["with"], times_ms["without"])))
    return {**{f"{name}_ms": float(np.median(values)) for name, values in times_ms.items()}, "ratio": ratio}


def main() -> None:
    """Measure every set, model and seed, and write the rows after each of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs=2)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--models", nargs="+", choices=OPTIONS, default=list(OPTIONS))
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "unknown.json")
    args = parser.parse_args()
    older = json.loads(args.out.read_text()) if args.out.exists() else {"rows": []}
    rows = {(row["data"], row["model"], row["seed"]): row for row in older["rows"]}
    result = {"machine": machine.facts(), "cost": older.get("cost") or cost(args.data[0], args.weights)}
    for model in args.models:
        for data, other in (args.data, args.data[::-1]):
            for seed in range(args.seeds if model == "mobilenet_v2" else 1):
                with tempfile.TemporaryDirectory() as folder:
                    row = one_run(data, other, model, seed, args.weights, Path(folder))
                rows[data.name, model, seed] = row
                args.out.write_text(json.dumps({**result, "rows": list(rows.values())}, indent=1) + "\n")
                print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
