"""What does it cost an int8 file that it takes pixels 0..255, and rescales them to -1..1 itself?

Times a convolution of MobileNetV2's first layer's form with the rescaling before it and without, invoke by invoke in
turns on one thread, in each TFLite runtime; the whole int8 file of a bundle beside them says what share that is.

    python benchmarks/rescaling.py BUNDLE [--times 2000] [--out benchmarks/results/rescaling.json]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import machine
import numpy as np

RUNTIMES = {"litert": "ai_edge_litert", "tflite-runtime": "tflite_runtime"}
SIDE = 160


def write_models(folder: Path) -> None:
    """Convert both models."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras
    import tensorflow as tf

    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (20, 1, SIDE, SIDE, 3)).astype(np.float32)
    for name, taken in (("with", pixels), ("without", pixels / 127.5 - 1)):
        image = keras.Input((SIDE, SIDE, 3))
        x = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(image) if name == "with" else image
        x = keras.layers.Conv2D(32, 3, strides=2, padding="same", activation="relu6")(x)
        converter = tf.lite.TFLiteConverter.from_keras_model(keras.Model(image, x))
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda taken=taken: ([image] for image in taken)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type, converter.inference_output_type = tf.uint8, tf.int8
        (folder / f"{name}.tflite").write_bytes(converter.convert())


def timed(module: str, files: dict[str, str], times: int) -> dict[str, float]:
    """Give the fastest invoke of each file in milliseconds: what else runs on the machine only ever adds time."""
    interpreter = import_module(f"{module}.interpreter").Interpreter
    opened = {name: interpreter(file, num_threads=1) for name, file in files.items()}
    best = dict.fromkeys(opened, float("inf"))
    for model in opened.values():
        model.allocate_tensors()
        given = model.get_input_details()[0]
        model.set_tensor(given["index"], np.zeros(given["shape"], given["dtype"]))
    for _ in range(times):
        for name, model in opened.items():
            began = time.perf_counter()
            model.invoke()
            best[name] = min(best[name], (time.perf_counter() - began) * 1e3)
    return best


def row(best: dict[str, float], whole: dict[str, float]) -> dict[str, Any]:
    cost = best["with"] - best["without"]
    return {
        "convolution_ms": best["without"],
        "rescaled_convolution_ms": best["with"],
        "cost_ms": cost,
        "whole_file_ms": whole["whole"],
        "share": cost / whole["whole"],
    }


def main() -> None:
    """Measure in a process for each runtime (two cannot share one), print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path, nargs="?")
    parser.add_argument("--times", type=int, default=2000)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "rescaling.json")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        print(json.dumps(timed(args.child[0], json.loads(args.child[1]), args.times)))
        return
    result: dict[str, Any] = {"machine": machine.facts(), "side": SIDE, "threads": 1, "times": args.times}
    with tempfile.TemporaryDirectory() as scratch:
        write_models(Path(scratch))
        pair = {name: f"{scratch}/{name}.tflite" for name in ("with", "without")}
        whole = {"whole": str(args.bundle / "model.int8.tflite")}
        for name, module in RUNTIMES.items():
            found = [_in_child(module, pair, args.times), _in_child(module, whole, args.times // 10)]
            result[name] = row(*found)
            print(f"{name}: {result[name]['cost_ms']:.3f} ms, {result[name]['share']:.2%} of an invoke", flush=True)
    args.out.write_text(json.dumps(result, indent=1) + "\n")


def _in_child(module: str, files: dict[str, str], times: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--times", str(times), "--child", module, json.dumps(files)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
