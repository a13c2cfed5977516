"""How much time does an int8 file need to rescale its input pixels from 0..255 to -1..1?

    python benchmarks/rescaling.py BUNDLE [--times 2000] [--out benchmarks/results/rescaling.json]

Times a convolution with the shape of MobileNetV2's first layer, with and without the rescaling before it, alternately
on one thread, in each TFLite runtime. The time of the bundle's int8 file gives the share. Writes
results/rescaling.json.
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
    """Write with.tflite and without.tflite, both quantized to int8."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras
    import tensorflow as tf

    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (20, 1, SIDE, SIDE, 3)).astype(np.float32)
    for name, inputs in (("with", pixels), ("without", pixels / 127.5 - 1)):
        image = keras.Input((SIDE, SIDE, 3))
        x = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(image) if name == "with" else image
        x = keras.layers.Conv2D(32, 3, strides=2, padding="same", activation="relu6")(x)
        converter = tf.lite.TFLiteConverter.from_keras_model(keras.Model(image, x))
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda inputs=inputs: ([image] for image in inputs)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type, converter.inference_output_type = tf.uint8, tf.int8
        (folder / f"{name}.tflite").write_bytes(converter.convert())


def timed(module: str, files: dict[str, str], times: int) -> dict[str, float]:
    """Return the fastest invoke of each file in milliseconds, because other load can only add time."""
    interpreter = import_module(f"{module}.interpreter").Interpreter
    opened = {name: interpreter(file, num_threads=1) for name, file in files.items()}
    best = dict.fromkeys(opened, float("inf"))
    for model in opened.values():
        model.allocate_tensors()
        details = model.get_input_details()[0]
        model.set_tensor(details["index"], np.zeros(details["shape"], details["dtype"]))
    for _ in range(times):
        for name, model in opened.items():
            start_s = time.perf_counter()
            model.invoke()
            best[name] = min(best[name], (time.perf_counter() - start_s) * 1e3)
    return best


def row(best: dict[str, float], model_ms: float) -> dict[str, Any]:
    """Return the result of one runtime."""
    cost = best["with"] - best["without"]
    return {
        "convolution_ms": best["without"],
        "rescaled_convolution_ms": best["with"],
        "cost_ms": cost,
        "model_ms": model_ms,
        "share": cost / model_ms,
    }


def main() -> None:
    """Measure each runtime in its own process, because two cannot share one, then print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path, nargs="?", help="its int8.tflite is measured")
    parser.add_argument("--times", type=int, default=2000, help="invokes of each file (2000)")
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
        model = {"model": str(args.bundle / "model.int8.tflite")}
        for name, module in RUNTIMES.items():
            best = _in_child(module, pair, args.times)
            result[name] = row(best, _in_child(module, model, args.times // 10)["model"])
            print(f"{name}: {result[name]['cost_ms']:.3f} ms, {result[name]['share']:.2%} of an invoke", flush=True)
    args.out.write_text(json.dumps(result, indent=1) + "\n")


def _in_child(module: str, files: dict[str, str], times: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--times", str(times), "--child", module, json.dumps(files)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
