"""Does training wait for its data, how long does a model take, and how soon does a second run start?

    python benchmarks/training.py DATA --weights FILE [--part epoch mobilenet restart] [--rounds 3]

epoch: one epoch of the baseline CNN on all of DATA at 224x224 with several data pipelines, alternately, each in its
own process: ImageDataGenerator with TensorFlow's default settings, the trainer's pipeline, and the floor, which has
no pipeline and repeats one batch from memory. The floor with TensorFlow's default settings shows the effect of the
trainer's settings.
mobilenet: the complete `edge-train train` command with a cold cache and with a warm one.
restart: the time from TensorFlow's import to the end of the first step, in a first and a second run.
Writes results/training.json, where the other parts are kept.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import machine
from training_epoch import BATCH, SIDE, epoch

RESULTS = Path(__file__).parent / "results"
PARTS = ("epoch", "mobilenet", "restart")
MAX_S, MIN_ACCURACY, MAX_RESTART_S = 90.0, 0.975, 5.0


def mobilenet(data: Path, weights: Path, scratch: Path) -> dict[str, Any]:
    """Time the complete command, first with an empty cache, then with a filled one."""
    results = {}
    for cache in ("cold", "warm"):
        run = scratch / cache
        start_s = time.perf_counter()
        edge_train(data, "--out", run, "--weights", weights, "--cache", scratch / "cache")
        seconds = time.perf_counter() - start_s
        metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
        results[cache] = {
            "seconds": seconds,
            "test_accuracy": metrics["test"]["accuracy"],
            "test_images": metrics["test"]["images"],
            "interval_95": metrics["test"]["interval"],
            "phases": [{"epochs": phase["epochs"]} for phase in metrics["phases"]],
        }
    met = all(row["seconds"] < MAX_S and row["test_accuracy"] >= MIN_ACCURACY for row in results.values())
    return {**results, "target": f"< {MAX_S:g} s, accuracy >= {MIN_ACCURACY:.1%}", "met": met}


def restart(data: Path, scratch: Path) -> dict[str, Any]:
    """Time two runs of the baseline CNN from the end of TensorFlow's import to the end of the first step."""
    arguments = ["--model", "cnn", "--image-size", SIDE, "--batch-size", BATCH, "--epochs", 1]
    seconds = {}
    for which in ("first", "second"):
        command = [data, "--out", scratch / which, "--cache", scratch / "cache", *arguments]
        done = subprocess.run(
            [sys.executable, __file__, "--first-step", *map(str, ("train", *command))],
            capture_output=True,
            text=True,
            check=True,
        )
        seconds[f"{which}_run_s"] = float(done.stdout.splitlines()[0])
    return {**seconds, "target": f"second < {MAX_RESTART_S:g} s", "met": seconds["second_run_s"] < MAX_RESTART_S}


def first_step(arguments: list[str]) -> None:
    """Run `edge-train` until the end of its first step, and print the seconds since TensorFlow's import."""
    from trainer.tensorflow_setup import require_tensorflow

    require_tensorflow()
    imported = time.perf_counter()
    from trainer import cli
    from trainer.fitting.fit import Recorder

    def stop(*_: object, **__: object) -> None:
        print(time.perf_counter() - imported, flush=True)
        os._exit(0)

    Recorder.on_train_batch_end = stop
    raise SystemExit(cli.main(arguments))


def edge_train(*arguments: object) -> None:
    """Run `edge-train train`."""
    subprocess.run([sys.executable, "-m", "trainer.cli", "train", *map(str, arguments)], check=True)


def render(name: str, row: dict[str, Any]) -> str:
    """Format the result of a part for the terminal."""
    lines = [f"{name}: {'met' if row['met'] else 'MISSED'}, target {row['target']}"]
    if name == "epoch":
        lines += [f"  {pipeline:22}{seconds:7.2f} s per epoch" for pipeline, seconds in row["best_s"].items()]
        lines.append(
            f"  edge_train takes {row['edge_train_over_floor']:.2f} times the floor and is"
            f" {row['image_data_generator_over_edge_train']:.2f} times as fast as ImageDataGenerator"
        )
    if name == "mobilenet":
        for cache in ("cold", "warm"):
            lines.append(f"  {cache} cache {row[cache]['seconds']:.1f} s, test {row[cache]['test_accuracy']:.1%}")
    if name == "restart":
        lines.append(f"  first run {row['first_run_s']:.2f} s, second {row['second_run_s']:.2f} s")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", metavar="DATA", nargs="?", type=Path, help="a folder of photographs for each class")
    parser.add_argument("--weights", type=Path, help="weights of MobileNetV2 without its top layer")
    parser.add_argument("--part", nargs="+", choices=PARTS, default=PARTS, help="default: all")
    parser.add_argument("--rounds", type=int, default=3, help="epochs of each data pipeline (3)")
    parser.add_argument("--first-step", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.first_step:
        return first_step(args.first_step)
    if args.data is None or ("mobilenet" in args.part and args.weights is None):
        parser.error("DATA is required, and --weights for the part mobilenet")
    path = RESULTS / "training.json"
    results = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for name in args.part:
        with tempfile.TemporaryDirectory() as scratch:
            facts = machine.facts()
            row = {
                "epoch": lambda folder: epoch(args.data, folder / "cache", args.rounds),
                "mobilenet": lambda folder: mobilenet(args.data, args.weights, folder),
                "restart": lambda folder: restart(args.data, folder),
            }[name](Path(scratch))
        results[name] = {"machine": facts, "load_average_after": round(os.getloadavg()[0], 2), **row}
        RESULTS.mkdir(exist_ok=True)
        path.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
        print(render(name, row), flush=True)
    return None


if __name__ == "__main__":
    main()
