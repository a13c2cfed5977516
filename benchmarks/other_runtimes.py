"""What do one photograph and a folder cost, compared with bare ONNX Runtime and Keras `predict`?

    python benchmarks/other_runtimes.py RUN BUNDLE IMAGES [--rounds 5]

Each program runs in a process of its own on the same photographs. Measures the time from process start to the first
result, the memory, the time of the same photograph in the running process, and the folder. Prints a table and writes
results/other_runtimes.json.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import machine

from edge_runtime.image.files import image_files

RESULTS = Path(__file__).parent / "results"
WARM_UP = 10

# Arguments of each program: model, side, threads, repetitions, photographs. `classify` returns class indices.
EDGEWISE = """
from edge_runtime import Classifier
artifact = os.path.basename(model).removeprefix("model.")
classifier = Classifier.open(os.path.dirname(model), artifact=artifact, threads=threads)
names = classifier.spec.labels
def classify(paths):
    return [names.index(classifier.classify(path).label) for path in paths]
"""
DECODE = """
import numpy as np
from PIL import Image
def pixels(path):
    with Image.open(path) as image:
        image.draft("RGB", (side, side))
        return np.asarray(image.convert("RGB").resize((side, side), Image.Resampling.BILINEAR))
"""
ONNX_RUNTIME = f"""{DECODE}
import onnxruntime
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = threads
session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
model_input = session.get_inputs()[0]
dtype = np.float32 if model_input.type == "tensor(float)" else np.uint8
def classify(paths):
    outputs = [session.run(None, {{model_input.name: pixels(path)[None].astype(dtype)}})[0][0] for path in paths]
    return [int(row.argmax()) if len(row) > 1 else int(row[0] > 0.5) for row in outputs]
"""
KERAS = f"""{DECODE}
import keras
network = keras.models.load_model(model, compile=False)
def classify(paths):
    classes = []
    for start in range(0, len(paths), 32):
        batch = np.stack([pixels(path) for path in paths[start : start + 32]]).astype(np.float32)
        outputs = network.predict(batch, verbose=0)
        classes += [int(row.argmax()) if len(row) > 1 else int(row[0] > 0.5) for row in outputs]
    return classes
"""
PROGRAM = """
import os, sys
model, side, threads, repetitions, *photographs = sys.argv[1:]
side, threads, repetitions = int(side), int(threads), int(repetitions)
{classify}
print(classify(photographs[:1])[0], flush=True)
if repetitions:
    import json, time
    for _ in range({warm_up}):
        classify(photographs[:1])
    times = []
    for _ in range(repetitions):
        start_s = time.perf_counter()
        classify(photographs[:1])
        times.append((time.perf_counter() - start_s) * 1e3)
    start_s = time.perf_counter()
    classes = classify(photographs)
    seconds = time.perf_counter() - start_s
    rate = len(classes) / seconds
    print(json.dumps({{"warm_ms": sorted(times)[repetitions // 2], "images_per_s": rate, "classes": classes}}))
"""


class Peer(NamedTuple):
    """A program and the file that it runs."""

    name: str
    classify: str
    model: Path


def command(peer: Peer, side: int, threads: int, repetitions: int, photographs: list[str]) -> list[str]:
    """Return the command that runs a program on photographs."""
    source = PROGRAM.format(classify=peer.classify, warm_up=WARM_UP)
    return [sys.executable, "-c", source, str(peer.model), *map(str, (side, threads, repetitions)), *photographs]


def cold(words: list[str]) -> tuple[float, float]:
    """Run a command on one photograph; return the milliseconds to the first result and the peak memory in MiB."""
    start_s = time.perf_counter()
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    result = process.stdout.readline() if process.stdout else b""
    elapsed_ms = (time.perf_counter() - start_s) * 1e3
    _, status, usage = os.wait4(process.pid, 0)
    if status or not result:
        raise SystemExit(f"failed: {words[3]}")
    return elapsed_ms, usage.ru_maxrss / 1024


def warm(words: list[str]) -> dict[str, Any]:
    """Run a command on all photographs; return its times and classes."""
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def peers_of(run: Path, bundle: Path) -> list[Peer]:
    """Return the programs to compare; the first one is the reference."""
    return [
        Peer("Edgewise, int8.tflite", EDGEWISE, bundle / "model.int8.tflite"),
        Peer("Edgewise, int8.onnx", EDGEWISE, bundle / "model.int8.onnx"),
        Peer("bare ONNX Runtime, int8.onnx", ONNX_RUNTIME, bundle / "model.int8.onnx"),
        Peer("bare ONNX Runtime, float32.onnx", ONNX_RUNTIME, bundle / "model.float32.onnx"),
        Peer("Keras predict, model.keras", KERAS, run / "model.keras"),
    ]


def measure(
    peers: list[Peer], side: int, photographs: list[str], rounds: int, repetitions: int
) -> list[dict[str, Any]]:
    """Measure cold starts alternately, so that other load affects all programs alike, then each program warm."""
    threads = len(os.sched_getaffinity(0))
    starts: dict[str, list[tuple[float, float]]] = {peer.name: [] for peer in peers}
    for _ in range(rounds):
        for peer in peers:
            starts[peer.name].append(cold(command(peer, side, threads, 0, photographs[:1])))
    rows = []
    for peer in peers:
        cold_ms, peak_mb = (median(column) for column in zip(*starts[peer.name], strict=True))
        figures = warm(command(peer, side, threads, repetitions, photographs))
        rows.append({"name": peer.name, "cold_ms": cold_ms, "peak_mb": peak_mb, **figures})
    reference = rows[0]["classes"]
    for row in rows:
        same = [one == other for one, other in zip(row.pop("classes"), reference, strict=True)]
        row["agreement"] = sum(same) / len(same)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("images", help="a folder of photographs")
    parser.add_argument("--rounds", type=int, default=5, help="cold starts of each program (5)")
    parser.add_argument("--often", type=int, default=100, help="repetitions of the warm photograph (100)")
    parser.add_argument("--count", type=int, default=200, help="photographs of the folder (200)")
    args = parser.parse_args()
    spec = json.loads((args.bundle / "manifest.json").read_text())["spec"]
    files = list(image_files(args.images))
    photographs = files[:: max(1, len(files) // args.count)][: args.count]
    result = {
        "machine": machine.facts(),
        "model": json.loads((args.run / "metrics.json").read_text())["arguments"]["model"],
        "threads": len(os.sched_getaffinity(0)),
        "rounds": args.rounds,
        "warm_up": WARM_UP,
        "warm_photographs": args.often,
        "folder_photographs": len(photographs),
        "peers": measure(peers_of(args.run, args.bundle), spec["height"], photographs, args.rounds, args.often),
        "load_average_after": round(os.getloadavg()[0], 2),
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "other_runtimes.json").write_text(json.dumps(result, indent=2) + "\n")
    for row in result["peers"]:
        print(
            f"{row['name']:32}{row['cold_ms']:8.0f} ms{row['peak_mb']:7.0f} MB{row['warm_ms']:8.2f} ms"
            f"{row['images_per_s']:8.1f}/s  {row['agreement']:.1%} same class"
        )


if __name__ == "__main__":
    main()
