"""Do the times of scanning, caching and training grow linearly with the data, and is the memory bounded?

    python benchmarks/dataset_scale.py [--images 5000 10000 25000 50000] [--pool DIR]

Draws shapes of 64x64 pixels once (--pool keeps them for the next time) and lists the files of each size. Then, for each
size in a process of its own, fills the cache at 128x128, reads it again, and trains the baseline CNN for one epoch with
`trainer.pipeline.train`. For 50,000 images the cache has 2.5 GB, which is more than the allowed memory. Writes
results/dataset_scale.json, where other sizes are kept, and dataset_scale.png.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import machine
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

RESULTS = Path(__file__).parent / "results"
SIZES = (5_000, 10_000, 25_000, 50_000)
DRAWN, SIDE, BATCH = 64, 128, 64
STEPS = ("scan", "cache", "read_again", "epoch")
SCANS = 8  # repetitions for each size, of which the fastest counts
MAX_MB, MAX_SLOPE = 2000.0, 1.1  # a slope of 1 is linear growth


def measure(data: Path, scratch: Path) -> dict[str, Any]:
    """Run all steps for one data set in this process, whose peak memory is reported."""
    from trainer.images.read_data import read_data
    from trainer.options import Options
    from trainer.pipeline import train

    options = Options(model="cnn", image_size=SIDE, epochs=1, patience=1, learning_rate=1e-3, batch_size=BATCH)
    row: dict[str, Any] = {}
    with timed(row, "cache"):
        read_data(data, options, scratch / "cache")
    row["peak_mb_reading"] = peak_mb()
    with timed(row, "read_again"):
        photos = read_data(data, options, scratch / "cache").photos
    with timed(row, "train"):
        train(data, scratch / "run", options, cache=scratch / "cache")
    _, history = (scratch / "run" / "history.csv").read_text(encoding="utf-8").split()
    row["epoch_s"] = float(history.rpartition(",")[2])
    row["cache_mb"] = sum(path.stat().st_size for path in (scratch / "cache").rglob("*.npy")) / 1e6
    return {"images": len(photos), **row, "peak_mb": peak_mb()}


@contextmanager
def timed(row: dict[str, Any], step: str) -> Iterator[None]:
    """Write the wall time and the processor time of the block into a row."""
    start_s, start_cpu_s = time.perf_counter(), time.process_time()
    yield
    row[f"{step}_s"] = time.perf_counter() - start_s
    row[f"{step}_cpu_s"] = time.process_time() - start_cpu_s


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def draw_pool(pool: Path, images: int) -> None:
    """Draw at least `images` shapes, unless the folder has them already."""
    from trainer.data.shapes import OUTLINES, write_shapes

    each = -(-images // len(OUTLINES))
    if not pool.is_dir() or any(sum(1 for _ in folder.iterdir()) < each for folder in pool.iterdir()):
        write_shapes(pool, count=each, size=DRAWN, seed=0, overwrite=True)


def link_part(pool: Path, folder: Path, images: int) -> None:
    """Create hard links to the first files of each class of a pool."""
    classes = sorted(pool.iterdir())
    for entry in classes:
        (folder / entry.name).mkdir(parents=True)
        for file in sorted(entry.iterdir())[: images // len(classes)]:
            os.link(file, folder / entry.name / file.name)


def scans(pool: Path, sizes: list[int]) -> dict[int, float]:
    """Return the shortest time in seconds for listing each size. Alternate the sizes, because short times drift."""
    from trainer.data.layout import scan

    with tempfile.TemporaryDirectory(dir=pool.parent) as scratch:
        folders = {images: Path(scratch, str(images)) for images in sizes}
        for images, folder in folders.items():
            link_part(pool, folder, images)
        rounds: dict[int, list[float]] = {images: [] for images in sizes}
        for _ in range(SCANS):
            for images, folder in folders.items():
                start_s = time.perf_counter()
                scan(folder)
                rounds[images].append(time.perf_counter() - start_s)
    return {images: min(seconds) for images, seconds in rounds.items()}


def run(pool: Path, images: int) -> dict[str, Any]:
    """Measure one size in a new process."""
    scratch = Path(tempfile.mkdtemp(dir=pool.parent))
    try:
        link_part(pool, scratch / "data", images)
        facts = machine.facts()
        command = [sys.executable, __file__, "--measure", str(scratch)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        return {**json.loads(done.stdout), "load_average_1_min": facts["load_average_1_min"]}
    finally:
        shutil.rmtree(scratch)


def slope(rows: list[dict[str, Any]], key: str) -> float:
    """Return the exponent of growth: the slope of a line fitted to the logarithms."""
    images, seconds = (np.log([row[name] for row in rows]) for name in ("images", key))
    return float(np.polyfit(images, seconds, 1)[0])


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Draw time and memory against the number of images."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    images = [row["images"] for row in rows]
    for step in STEPS:
        seconds = [row[f"{step}_s"] for row in rows]
        left.plot(images, seconds, marker="o", label=f"{step.replace('_', ' ')}, slope {slope(rows, f'{step}_s'):.2f}")
    left.set(xscale="log", yscale="log", xlabel="images", ylabel="seconds", title="Time; a slope of 1 is linear")
    left.set_xticks(images, [f"{count:,}" for count in images])
    left.minorticks_off()
    left.grid(alpha=0.3)
    left.set_ylim(bottom=min(row[f"{step}_s"] for row in rows for step in STEPS) / 8)  # room for the legend
    left.legend(loc="lower right")
    right.plot(images, [row["peak_mb"] for row in rows], marker="o", label="peak resident memory of the run")
    right.plot(images, [row["cache_mb"] for row in rows], marker="o", label="pixels in the cache")
    right.axhline(MAX_MB, linestyle="--", color="grey", label="limit of the peak memory")
    right.set(xlabel="images", ylabel="MB", title="Memory", ylim=(0, None))
    right.grid(alpha=0.3)
    right.legend()
    figure.savefig(path, dpi=110)


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Compare the growth of each step and the peak memory with the target."""
    slopes = {step: slope(rows, f"{step}_s") for step in STEPS}
    peak = max(row["peak_mb"] for row in rows)
    return {
        "slopes": slopes,
        "peak_mb": peak,
        "target": f"slopes <= {MAX_SLOPE}, peak < {MAX_MB:g} MB",
        "met": max(slopes.values()) <= MAX_SLOPE and peak < MAX_MB,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", nargs="+", type=int, default=SIZES)
    parser.add_argument(
        "--pool", type=Path, help="folder of the drawn shapes; each size is a folder of links next to it"
    )
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        print(json.dumps(measure(args.measure / "data", args.measure)))
        return
    path = RESULTS / "dataset_scale.json"
    older = json.loads(path.read_text(encoding="utf-8"))["rows"] if path.exists() else []
    with tempfile.TemporaryDirectory() as scratch:
        pool = args.pool or Path(scratch) / "pool"
        draw_pool(pool, max(args.images))
        listed = scans(pool, args.images)
        fresh = [{**run(pool, images), "scan_s": listed[images]} for images in args.images]
    kept = [row for row in older if row["images"] not in {new["images"] for new in fresh}]
    rows = sorted([*kept, *fresh], key=lambda row: row["images"])
    results = {"machine": machine.facts(), "drawn_side": DRAWN, "side": SIDE, "batch_size": BATCH, "rows": rows}
    print(f"{'images':>8}" + "".join(f"{step.replace('_', ' '):>12}" for step in STEPS) + f"{'peak':>10}")
    for row in rows:
        print(f"{row['images']:8,}" + "".join(f"{row[f'{step}_s']:10.2f} s" for step in STEPS), end="")
        print(f"{row['peak_mb']:7.0f} MB")
    if len(rows) > 1:
        results |= summary(rows)
        draw(rows, RESULTS / "dataset_scale.png")
        print("slope   " + "".join(f"{value:12.2f}" for value in results["slopes"].values()))
        print(f"{'met' if results['met'] else 'MISSED'}: target {results['target']}")
    RESULTS.mkdir(exist_ok=True)
    path.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
