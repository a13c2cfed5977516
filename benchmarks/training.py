"""Does training wait for its data, how long until a model is there, and how soon does a second run begin?

    python benchmarks/training.py DATA --weights FILE [--part epoch mobilenet restart] [--rounds 3]

epoch: one epoch of the baseline CNN on all of DATA at 224x224, the ways in turns, each in its own process: the
usual pipeline (ImageDataGenerator, TensorFlow with default settings), the trainer, and the floor, which is fed one
batch from memory over and over; the floor once more with TensorFlow as it comes tells what its settings are worth.
mobilenet: from command to RUN with a cold cache and with a warm one. restart: from TensorFlow's import to the first
step of a second run. Writes results/training.json, where the parts that are not asked for stay.
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
from statistics import median
from typing import TYPE_CHECKING, Any

import machine

if TYPE_CHECKING:
    from collections.abc import Callable

    from trainer.data.dataset import Dataset

RESULTS = Path(__file__).parent / "results"
PARTS = ("epoch", "mobilenet", "restart")
SIDE, BATCH = 224, 64
# The floor is measured last, just after the way that is compared with it, so that a drifting clock harms neither.
WAYS = ("article", "floor_default", "ours", "floor")
AS_IT_COMES = ("article", "floor_default")
MOST_OVER_FLOOR, LEAST_SPEED_UP = 1.15, 2.0
WANTED_S, WANTED_ACCURACY, WANTED_RESTART_S = 90.0, 0.975, 5.0


def epoch(data: Path, cache: Path, rounds: int) -> dict[str, Any]:
    """Let each way train one epoch in each round."""
    ways = {way: Way(way, data, cache) for way in WAYS}
    rows: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    for _ in range(rounds):
        for name, way in ways.items():
            rows[name].append(way.epoch())
    for way in ways.values():
        way.close()
    return judged(rows)


def judged(rows: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    """Compare each way's fastest epoch: what else runs on the machine only ever adds time."""
    best = {name: min(row["seconds"] for row in own) for name, own in rows.items()}
    over_floor, speed_up = best["ours"] / best["floor"], best["article"] / best["ours"]
    return {
        "images": int(rows["ours"][0]["images"]),
        "side": SIDE,
        "batch_size": BATCH,
        "rounds": rows,
        "best_s": best,
        "median_s": {name: median(row["seconds"] for row in own) for name, own in rows.items()},
        "ours_over_floor": over_floor,
        "article_over_ours": speed_up,
        "wanted": f"<= {MOST_OVER_FLOOR} of the floor, {LEAST_SPEED_UP:g} times the speed of ImageDataGenerator",
        "met": over_floor <= MOST_OVER_FLOOR and speed_up >= LEAST_SPEED_UP,
    }


class Way:
    """A process that trains an epoch whenever it is told to, and rests in between."""

    def __init__(self, name: str, data: Path, cache: Path) -> None:
        command = [sys.executable, __file__, str(data), "--way", name, "--cache", str(cache)]
        settings = {"TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"}
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=os.environ | settings,
        )
        self._answer()  # once it is warm

    def epoch(self) -> dict[str, float]:
        self._process.stdin.write("epoch\n")
        self._process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait()

    def _answer(self) -> dict[str, float]:
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"failed: {self._process.args}")
        return json.loads(line)


def serve_way(name: str, data: Path, cache: Path) -> None:
    """Train an epoch for every line on stdin, and answer how long it took."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # Keras' generator prints how many files it found
    train = prepare(name, data, cache)
    train(2)
    print("{}", file=answers, flush=True)
    for _ in sys.stdin:
        began, worked = time.perf_counter(), time.process_time()
        images = train(None)
        row = {"seconds": time.perf_counter() - began, "cpu_s": time.process_time() - worked, "images": images}
        print(json.dumps(row), file=answers, flush=True)


def prepare(name: str, data: Path, cache: Path) -> Callable[[int | None], int]:
    """Give a function that trains some steps, or an epoch, of a compiled network, and says how many images it has."""
    if name in AS_IT_COMES:
        import keras  # TensorFlow with the settings that it comes with
    else:
        from trainer.tensorflow_setup import require_tensorflow

        require_tensorflow()
        import keras

        from trainer.fitting.phases import make_repeatable

        make_repeatable(0)
    from trainer.data.read_data import read_data
    from trainer.fitting.optimizers import rmsprop
    from trainer.networks.models import build_cnn, loss_of
    from trainer.options import Options

    options = Options(
        model="cnn",
        image_size=SIDE,
        epochs=1,
        patience=1,
        learning_rate=1e-3,
        validation_fraction=0.001,
        test_fraction=0.001,
        batch_size=BATCH,
    )
    dataset = read_data(data, options, cache)
    steps = -(-len(dataset.photos) // BATCH)
    model = build_cnn(dataset.spec)
    model.compile(
        optimizer=rmsprop(1e-3, steps=100 * steps, weight_decay=0.0), loss=loss_of(dataset.spec), metrics=["accuracy"]
    )
    assert keras.backend.backend() == "tensorflow"
    feed = {"article": article, "ours": ours}.get(name, floor)(data, dataset)

    def train(wanted: int | None) -> int:
        model.fit(feed(), steps_per_epoch=wanted or steps, shuffle=False, verbose=0)
        return len(dataset.photos)

    return train


def article(data: Path, dataset: Dataset) -> Callable[[], Any]:
    """Feed with ImageDataGenerator: decode, transform by SciPy and scale, again in every epoch."""
    import tensorflow as tf

    generator = tf.keras.preprocessing.image.ImageDataGenerator(
        rescale=1 / 255,
        rotation_range=40,
        width_shift_range=0.2,
        height_shift_range=0.2,
        shear_range=0.2,
        zoom_range=0.2,
        horizontal_flip=True,
        fill_mode="nearest",
    )
    mode = "binary" if dataset.spec.output == "sigmoid" else "categorical"
    flow = generator.flow_from_directory(data, target_size=(SIDE, SIDE), batch_size=BATCH, class_mode=mode, seed=0)
    return lambda: flow


def ours(_: Path, dataset: Dataset) -> Callable[[], Any]:
    """Feed as the trainer does: from its cache, the same transforms by OpenCV, an epoch later at each call."""
    from itertools import count

    from trainer.data.augment import STANDARD
    from trainer.data.batches import training_batches

    epochs = count()
    options: dict[str, Any] = {"batch_size": BATCH, "seed": 0, "augmented": STANDARD}
    return lambda: training_batches(*rows(dataset), **options, first_epoch=next(epochs))


def floor(_: Path, dataset: Dataset) -> Callable[[], Any]:
    """Feed one batch from memory, as often as an epoch has batches, the last as small as theirs."""
    import numpy as np
    import tensorflow as tf

    array, chosen, targets = rows(dataset)
    batch = tf.constant(array[chosen[:BATCH]].astype(np.float32)), tf.constant(targets[:BATCH])
    whole, rest = divmod(len(chosen), BATCH)
    batches = tf.data.Dataset.from_tensors(batch).repeat(whole)
    if rest:
        batches = batches.concatenate(tf.data.Dataset.from_tensors(tuple(part[:rest] for part in batch)))
    return batches.repeat


def rows(dataset: Dataset) -> tuple[Any, Any, Any]:
    """Give the cached pixels, all rows of photographs, and their targets as training wants them."""
    import numpy as np

    numbers = dataset.targets(dataset.photos)
    sigmoid = dataset.spec.output == "sigmoid"
    targets = numbers[:, None] if sigmoid else np.eye(len(dataset.spec.labels))[numbers]
    return dataset.pixels, np.array([photo.row for photo in dataset.photos]), targets.astype(np.float32)


def mobilenet(data: Path, weights: Path, scratch: Path) -> dict[str, Any]:
    """Time the whole command, first with an empty cache, then with a filled one."""
    found = {}
    for cache in ("cold", "warm"):
        run = scratch / cache
        began = time.perf_counter()
        edge_train(data, "--out", run, "--weights", weights, "--cache", scratch / "cache")
        seconds = time.perf_counter() - began
        metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
        found[cache] = {
            "seconds": seconds,
            "test_accuracy": metrics["test"]["accuracy"],
            "test_images": metrics["test"]["images"],
            "interval_95": metrics["test"]["interval"],
            "phases": [{"epochs": phase["epochs"]} for phase in metrics["phases"]],
        }
    met = all(row["seconds"] < WANTED_S and row["test_accuracy"] >= WANTED_ACCURACY for row in found.values())
    return {**found, "wanted": f"< {WANTED_S:g} s, accuracy >= {WANTED_ACCURACY:.1%}", "met": met}


def restart(data: Path, scratch: Path) -> dict[str, Any]:
    """Time a second run of the baseline CNN from the end of TensorFlow's import to the end of its first step."""
    arguments = ["--model", "cnn", "--image-size", SIDE, "--batch-size", BATCH, "--epochs", 1]
    found = {}
    for which in ("first", "second"):
        command = [data, "--out", scratch / which, "--cache", scratch / "cache", *arguments]
        done = subprocess.run(
            [sys.executable, __file__, "--first-step", *map(str, ("train", *command))],
            capture_output=True,
            text=True,
            check=True,
        )
        found[f"{which}_run_s"] = float(done.stdout.splitlines()[0])
    return {**found, "wanted": f"second < {WANTED_RESTART_S:g} s", "met": found["second_run_s"] < WANTED_RESTART_S}


def first_step(arguments: list[str]) -> None:
    """Run `edge-train`, whose reading is timed too, until its first step is done."""
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
    subprocess.run([sys.executable, "-m", "trainer.cli", "train", *map(str, arguments)], check=True)


def told(name: str, row: dict[str, Any]) -> list[str]:
    """Give a part's lines for the terminal."""
    lines = [f"{name}: {'met' if row['met'] else 'MISSED'}, wanted {row['wanted']}"]
    if name == "epoch":
        lines += [f"  {way:14}{seconds:7.2f} s an epoch" for way, seconds in row["best_s"].items()]
        lines.append(
            f"  ours is {row['ours_over_floor']:.2f} of the floor, {row['article_over_ours']:.2f} times faster"
        )
    if name == "mobilenet":
        for cache in ("cold", "warm"):
            lines.append(f"  {cache} cache {row[cache]['seconds']:.1f} s, test {row[cache]['test_accuracy']:.1%}")
    if name == "restart":
        lines.append(f"  first run {row['first_run_s']:.2f} s, second {row['second_run_s']:.2f} s")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", metavar="DATA", nargs="?", type=Path)
    parser.add_argument("--weights", type=Path, help="of MobileNetV2 without its top")
    parser.add_argument("--part", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--cache", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--first-step", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.first_step:
        return first_step(args.first_step)
    if args.way:
        return serve_way(args.way, args.data, args.cache)
    if args.data is None or ("mobilenet" in args.part and args.weights is None):
        parser.error("DATA is needed, and --weights for the part mobilenet")
    path = RESULTS / "training.json"
    results = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for name in args.part:
        with tempfile.TemporaryDirectory() as scratch:
            facts = machine.facts()
            row = {
                "epoch": lambda here: epoch(args.data, here / "cache", args.rounds),
                "mobilenet": lambda here: mobilenet(args.data, args.weights, here),
                "restart": lambda here: restart(args.data, here),
            }[name](Path(scratch))
        results[name] = {"machine": facts, "load_average_after": round(os.getloadavg()[0], 2), **row}
        RESULTS.mkdir(exist_ok=True)
        path.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
        print("\n".join(told(name, row)), flush=True)
    return None


if __name__ == "__main__":
    main()
