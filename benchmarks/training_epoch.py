"""Time one epoch of the baseline CNN with each data pipeline. `training.py` imports this module.

A pipeline runs in a process of its own, which trains one epoch for each line on its standard input:

    python benchmarks/training_epoch.py DATA PIPELINE CACHE
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from itertools import count
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from trainer.images.dataset import Dataset

SIDE, BATCH = 224, 64
# The floor comes last, directly after edge_train, so that a drift of the clock frequency affects both alike.
PIPELINES = ("image_data_generator", "floor_default", "edge_train", "floor")
DEFAULT_SETTINGS = ("image_data_generator", "floor_default")  # TensorFlow as it is after the import
MAX_OVER_FLOOR, MIN_SPEED_UP = 1.15, 2.0


def epoch(data: Path, cache: Path, rounds: int) -> dict[str, Any]:
    """Train one epoch with each pipeline in each round, and compare the times."""
    processes = {name: PipelineProcess(name, data, cache) for name in PIPELINES}
    epochs: dict[str, list[dict[str, float]]] = {name: [] for name in PIPELINES}
    for _ in range(rounds):
        for name, process in processes.items():
            epochs[name].append(process.epoch())
    for process in processes.values():
        process.close()
    return compare(epochs)


def compare(epochs: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    """Compare the fastest epoch of each pipeline, because other load can only add time."""
    best = {name: min(row["seconds"] for row in rows) for name, rows in epochs.items()}
    over_floor, speed_up = best["edge_train"] / best["floor"], best["image_data_generator"] / best["edge_train"]
    return {
        "images": int(epochs["edge_train"][0]["images"]),
        "side": SIDE,
        "batch_size": BATCH,
        "rounds": epochs,
        "best_s": best,
        "median_s": {name: median(row["seconds"] for row in rows) for name, rows in epochs.items()},
        "edge_train_over_floor": over_floor,
        "image_data_generator_over_edge_train": speed_up,
        "target": f"<= {MAX_OVER_FLOOR} of the floor, {MIN_SPEED_UP:g} times the speed of ImageDataGenerator",
        "met": over_floor <= MAX_OVER_FLOOR and speed_up >= MIN_SPEED_UP,
    }


class PipelineProcess:
    """A process that trains one epoch on request and waits in between."""

    def __init__(self, name: str, data: Path, cache: Path) -> None:
        command = [sys.executable, __file__, str(data), name, str(cache)]
        settings = {"TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"}
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=os.environ | settings,
        )
        self._read_result()  # sent after the warm-up

    def epoch(self) -> dict[str, float]:
        """Train one epoch; return wall time and processor time in seconds, and the number of images."""
        self._process.stdin.write("epoch\n")
        self._process.stdin.flush()
        return self._read_result()

    def close(self) -> None:
        """End the process and wait for it."""
        self._process.stdin.close()
        self._process.wait()

    def _read_result(self) -> dict[str, float]:
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"failed: {self._process.args}")
        return json.loads(line)


def serve(name: str, data: Path, cache: Path) -> None:
    """Train one epoch for each line on stdin, and print its times as JSON."""
    results = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # Keras prints the number of files to stdout
    train = prepare(name, data, cache)
    train(2)
    print("{}", file=results, flush=True)
    for _ in sys.stdin:
        start_s, start_cpu_s = time.perf_counter(), time.process_time()
        images = train(None)
        seconds, cpu_s = time.perf_counter() - start_s, time.process_time() - start_cpu_s
        row = {"seconds": seconds, "cpu_s": cpu_s, "images": images}
        print(json.dumps(row), file=results, flush=True)


def prepare(name: str, data: Path, cache: Path) -> Callable[[int | None], int]:
    """Return a function that trains some steps, or an epoch for None, and returns the number of images."""
    if name in DEFAULT_SETTINGS:
        import keras
    else:
        from trainer.tensorflow_setup import require_tensorflow

        require_tensorflow()
        import keras

        from trainer.fitting.phases import make_repeatable

        make_repeatable(0)
    from trainer.fitting.optimizers import rmsprop
    from trainer.images.read_data import read_data
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
    batches = {"image_data_generator": image_data_generator, "edge_train": edge_train}.get(name, floor)(data, dataset)

    def train(some_steps: int | None) -> int:
        model.fit(batches(), steps_per_epoch=some_steps or steps, shuffle=False, verbose=0)
        return len(dataset.photos)

    return train


def image_data_generator(data: Path, dataset: Dataset) -> Callable[[], Any]:
    """Use ImageDataGenerator, which decodes, transforms with SciPy and scales every photograph in every epoch."""
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


def edge_train(_: Path, dataset: Dataset) -> Callable[[], Any]:
    """Use the trainer's batches: pixels from its cache, with the same transforms. Each call is the next epoch."""
    from trainer.images.augment import STANDARD
    from trainer.images.batches import training_batches

    epochs = count()
    options: dict[str, Any] = {"batch_size": BATCH, "seed": 0, "augmented": STANDARD}
    return lambda: training_batches(*rows(dataset), **options, first_epoch=next(epochs))


def floor(_: Path, dataset: Dataset) -> Callable[[], Any]:
    """Repeat one batch from memory for each step of an epoch, with a last batch of the same size as in the data."""
    import numpy as np
    import tensorflow as tf

    array, chosen, targets = rows(dataset)
    batch = tf.constant(array[chosen[:BATCH]].astype(np.float32)), tf.constant(targets[:BATCH])
    full, rest = divmod(len(chosen), BATCH)
    batches = tf.data.Dataset.from_tensors(batch).repeat(full)
    if rest:
        batches = batches.concatenate(tf.data.Dataset.from_tensors(tuple(part[:rest] for part in batch)))
    return batches.repeat


def rows(dataset: Dataset) -> tuple[Any, Any, Any]:
    """Return the cached pixels, the row of each photograph, and the targets in the form of the loss."""
    import numpy as np

    numbers = dataset.targets(dataset.photos)
    sigmoid = dataset.spec.output == "sigmoid"
    targets = numbers[:, None] if sigmoid else np.eye(len(dataset.spec.labels))[numbers]
    return dataset.pixels, np.array([photo.row for photo in dataset.photos]), targets.astype(np.float32)


def main() -> None:
    data, pipeline, cache = sys.argv[1:]
    serve(pipeline, Path(data), Path(cache))


if __name__ == "__main__":
    main()
