"""What does the runtime cost in addition to the interpreter? Throughput, freshness, JPEGs, folders, cold start.

    python benchmarks/runtime.py BUNDLE IMAGES [--artifact int8.tflite]

Compares each figure with that of a bare loop on the same files and, where possible, of MediaPipe's ImageClassifier. The
programs run alternately. Prints a table and writes results/runtime.json.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import tempfile
import time
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import machine
import numpy as np
from environments import DEVICE, MEDIAPIPE, environment, versions
from peers import Pythons, alternate, commands_for, cost
from PIL import Image

from edge_runtime.classify.classifier import Classifier
from edge_runtime.image.files import image_files
from edge_runtime.image.preprocess import load_image, to_input
from edge_runtime.live.sources.opening import open_source
from edge_runtime.live.stream import Stream
from edge_runtime.model.bundle import Bundle

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_runtime.live.records import Event, FramePrediction

RESULTS = Path(__file__).parent / "results"
ROUNDS = 5
WARM_UP = 60  # frames, after which the loop's estimate of its own speed is stable


class RecordingSink:
    """A sink that records the predictions and the times of their arrival."""

    def __init__(self) -> None:
        self.predictions: list[FramePrediction] = []
        self.arrived_s: list[float] = []

    def prediction(self, prediction: FramePrediction) -> None:
        self.predictions.append(prediction)
        self.arrived_s.append(time.perf_counter())

    def event(self, event: Event) -> None:
        pass

    def close(self) -> None:
        pass


def watch(classifier: Classifier, images: str, query: str, frames: int) -> RecordingSink:
    """Run the live loop on a simulated camera; return the predictions after the warm-up."""
    sink = RecordingSink()
    Stream(open_source(f"simulated:{images}?size=640x480&{query}"), classifier, [sink], frames=frames + WARM_UP).run()
    sink.predictions, sink.arrived_s = sink.predictions[WARM_UP:], sink.arrived_s[WARM_UP:]
    return sink


def per_second(work: Callable[[], object], count: int) -> float:
    """Call a function `count` times and return the calls per second."""
    start_s = time.perf_counter()
    for _ in range(count):
        work()
    return count / (time.perf_counter() - start_s)


def throughput(classifier: Classifier, images: str, frames: int) -> dict[str, Any]:
    """Compare the live loop's rate on 640x480 frames with the rate of the bare interpreter, one thread each."""
    bare_rates, rates, ratios = [], [], []
    invoke = classifier.backend._interpreter.invoke
    per_second(invoke, 50)
    stolen_before = machine.stolen_s()
    start_s = time.perf_counter()
    for _ in range(5 * ROUNDS):  # many short rounds, because other load on the host changes within seconds
        before = per_second(invoke, frames)
        sink = watch(classifier, images, f"form=array&fps={1.25 * before:.0f}", frames)
        bare = (before + per_second(invoke, frames)) / 2
        rate = (len(sink.arrived_s) - 1) / (sink.arrived_s[-1] - sink.arrived_s[0])
        bare_rates.append(bare)
        rates.append(rate)
        ratios.append(rate / bare)
    return {
        "bare_per_s": median(bare_rates),
        "watch_per_s": median(rates),
        "ratio": median(ratios),
        "rounds": len(ratios),
        "lower_quartile": float(np.percentile(ratios, 25)),
        "upper_quartile": float(np.percentile(ratios, 75)),
        "stolen_share": (machine.stolen_s() - stolen_before) / (time.perf_counter() - start_s) / (os.cpu_count() or 1),
        "target": ">= 0.95",
        "met": median(ratios) >= 0.95,
    }


def freshness(classifier: Classifier, images: str, frames: int) -> dict[str, Any]:
    """Measure the age of decisions at 30 frames per second on one core."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        sink = watch(classifier, images, "fps=30", frames)
    finally:
        os.sched_setaffinity(0, cores)
    ages = [item.age_ms for item in sink.predictions]
    parts = [item.decode_ms + item.preprocess_ms + item.inference_ms for item in sink.predictions]
    bound = 1000 / 30 + float(np.percentile(parts, 99))
    p99 = float(np.percentile(ages, 99))
    return {"age_p50_ms": median(ages), "age_p99_ms": p99, "bound_ms": bound, "target": "<= bound", "met": p99 <= bound}


def jpeg_of(size: tuple[int, int], images: str) -> bytes:
    """Return the first photograph as a JPEG of another size (width, height)."""
    stream = io.BytesIO()
    with Image.open(next(iter(image_files(images)))) as image:
        image.convert("RGB").resize(size).save(stream, "JPEG", quality=90)
    return stream.getvalue()


def jpeg_1080p(classifier: Classifier, images: str, count: int) -> dict[str, Any]:
    """Compare the time of a 1080p JPEG with the sum of scaled decode, resize and invoke, measured separately."""
    data, spec = jpeg_of((1920, 1080), images), classifier.spec
    decoded = load_image(data, spec)
    works: dict[str, Callable[[], object]] = {
        "decode": lambda: _scaled_decode(data, decoded.size),
        "resize": lambda: to_input(decoded, spec),
        "invoke": classifier.backend._interpreter.invoke,
        "total": lambda: classifier.classify(data),
    }
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(count):
        for name, work in works.items():
            start_s = time.perf_counter()
            work()
            times[name].append((time.perf_counter() - start_s) * 1e3)
    medians = {f"{name}_ms": median(values) for name, values in times.items()}
    ratio = medians["total_ms"] / (medians["decode_ms"] + medians["resize_ms"] + medians["invoke_ms"])
    return {**medians, "jpeg_bytes": len(data), "ratio": ratio, "target": "<= 1.1", "met": ratio <= 1.1}


def _scaled_decode(data: bytes, size: tuple[int, int]) -> None:
    with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
        image.draft(None, size)
        image.load()


def folder(bundle: str, artifact: str, edge_run: str, images: str) -> dict[str, Any]:
    """Compare one worker with two on a folder, which is classified four times."""
    times: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(3):
        for workers, seconds in times.items():
            start_s = time.perf_counter()
            options = ["--artifact", artifact, "--threads", "1", "--workers", str(workers)]
            cost([edge_run, "classify", bundle, *[images] * 4, *options])
            seconds.append(time.perf_counter() - start_s)
    one, two = median(times[1]), median(times[2])
    return {"one_worker_s": one, "two_workers_s": two, "ratio": one / two, "target": ">= 1.8", "met": one / two >= 1.8}


def cold_start(bundle: str, artifact: str, pythons: Pythons, photos: list[str]) -> dict[str, Any]:
    """Compare the process for one photograph, from start to exit, with that of the other programs."""
    costs = alternate(commands_for(bundle, artifact, pythons, photos[:1]), 3 * ROUNDS)
    ratio = costs["edge_run"].wall_s / costs["bare"].wall_s
    extra_mb = costs["edge_run"].peak_mb - costs["bare"].peak_mb
    return {
        **{f"{name}_ms": item.wall_s * 1e3 for name, item in costs.items()},
        **{f"{name}_cpu_ms": item.processor_s * 1e3 for name, item in costs.items()},
        **{f"{name}_mb": item.peak_mb for name, item in costs.items()},
        "ratio": ratio,
        "extra_mb": extra_mb,
        "target": "<= 1.3, <= 8 MB",
        "met": ratio <= 1.3 and extra_mb <= 8,
    }


def warm(bundle: str, artifact: str, pythons: Pythons, images: str) -> dict[str, Any]:
    """Compare the time of one more photograph in a running process: many copies minus a run with one, per copy."""
    more, times = 100, {}
    with tempfile.TemporaryDirectory() as folder:
        for name, size in {"500x374": (500, 374), "1080p": (1920, 1080)}.items():
            photo = Path(folder, f"{name}.jpg")
            photo.write_bytes(jpeg_of(size, images))
            once = alternate(commands_for(bundle, artifact, pythons, [str(photo)]), ROUNDS)
            often = alternate(commands_for(bundle, artifact, pythons, [str(photo)] * (1 + more)), ROUNDS)
            for program, cost_once in once.items():
                times[f"{program}_{name}_ms"] = (often[program].wall_s - cost_once.wall_s) / more * 1e3
    return times


def photographs(bundle: str, artifact: str, pythons: Pythons, photos: list[str]) -> dict[str, Any]:
    """Compare time and predicted classes for a folder, including the start. edge-run uses one worker for each core."""
    cores = len(os.sched_getaffinity(0))
    costs = alternate(commands_for(bundle, artifact, pythons, photos, workers=cores), 3)
    labels = Bundle.open(bundle).spec.labels
    classes = {
        name: [
            line.split("  ")[1].rsplit(" ", 1)[0] if name == "edge_run" else labels[int(line)] for line in item.lines
        ]
        for name, item in costs.items()
    }
    return {
        "photographs": len(photos),
        "edge_run_workers": cores,
        **{f"{name}_per_s": len(photos) / item.wall_s for name, item in costs.items()},
        **{f"{name}_mb": item.peak_mb for name, item in costs.items()},
        **{
            f"agrees_with_{name}": sum(map(str.__eq__, classes["edge_run"], classes[name])) / len(photos)
            for name in classes
            if name != "edge_run"
        },
    }


def mediapipe_ratios(cold: dict[str, Any], warm: dict[str, Any], folder: dict[str, Any]) -> dict[str, Any]:
    """Divide MediaPipe's costs by those of Edgewise, and compare the ratios with the targets."""
    targets = {"cold_start": 3, "memory": 2.5, "photograph_500x374": 1, "photograph_1080p": 1.5, "folder": 2}
    ratios = {
        "cold_start": cold["mediapipe_ms"] / cold["edge_run_ms"],
        "memory": cold["mediapipe_mb"] / cold["edge_run_mb"],
        "photograph_500x374": warm["mediapipe_500x374_ms"] / warm["edge_run_500x374_ms"],
        "photograph_1080p": warm["mediapipe_1080p_ms"] / warm["edge_run_1080p_ms"],
        "folder": folder["edge_run_per_s"] / folder["mediapipe_per_s"],
    }
    least = ", ".join(f"{value:g}" for value in targets.values())
    return {**ratios, "target": f">= {least}", "met": all(ratios[name] >= value for name, value in targets.items())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle")
    parser.add_argument("images", help="a folder of photographs")
    parser.add_argument("--artifact", default="int8.tflite")
    parser.add_argument("--frames", type=int, default=300, help="frames or repetitions of each measurement (300)")
    parser.add_argument(
        "--photographs", type=int, default=200, help="number of photographs for the comparison with MediaPipe"
    )
    parser.add_argument(
        "--mediapipe", metavar="PYTHON", help="interpreter of an environment with MediaPipe (default: create one)"
    )
    args = parser.parse_args()
    peer = nullcontext(args.mediapipe) if args.mediapipe else environment(MEDIAPIPE)
    with environment(DEVICE) as device, peer as mediapipe:
        results = measure(args, Pythons(device, mediapipe))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "runtime.json").write_text(json.dumps(results, indent=2) + "\n")
    show(results)


def measure(args: argparse.Namespace, pythons: Pythons) -> dict[str, Any]:
    """Measure everything and return the results."""
    photos = list(islice(image_files(args.images), args.photographs))
    facts = machine.facts()
    installed = versions(pythons.device, "numpy", "pillow", "ai-edge-litert") | versions(pythons.mediapipe, "mediapipe")
    # The measurements of other processes come first, while this one uses little memory.
    cold = cold_start(args.bundle, args.artifact, pythons, photos)
    one_more = warm(args.bundle, args.artifact, pythons, args.images)
    folder_costs = photographs(args.bundle, args.artifact, pythons, photos)
    workers = folder(args.bundle, args.artifact, pythons.edge_run, args.images)
    classifier = Classifier.open(args.bundle, artifact=args.artifact, threads=1)
    return {
        "machine": facts,
        "installed": installed,
        "throughput": throughput(classifier, args.images, args.frames),
        "freshness": freshness(classifier, args.images, args.frames),
        "jpeg_1080p": jpeg_1080p(classifier, args.images, args.frames),
        "folder": workers,
        "cold_start": cold,
        "warm": one_more,
        "photographs": folder_costs,
        "mediapipe_ratios": mediapipe_ratios(cold, one_more, folder_costs),
        "load_average_after": round(os.getloadavg()[0], 2),
    }


def show(results: dict[str, Any]) -> None:
    """Print each result with its target."""
    print(f"load average {results['machine']['load_average_1_min']} before, {results['load_average_after']} after")
    for name, row in results.items():
        if name in {"machine", "installed", "load_average_after"}:
            continue
        verdict = {True: "met   ", False: "missed"}.get(row.get("met"), "      ")
        numbers = "  ".join(
            f"{key} {value:.4g}" for key, value in row.items() if isinstance(value, (int, float)) and key != "met"
        )
        print(f"{name:16} {verdict}  target {row.get('target', '-'):16} {numbers}")


if __name__ == "__main__":
    main()
