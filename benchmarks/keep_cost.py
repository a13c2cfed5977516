"""What does `--keep-hard` cost the live loop, also when its disk is full or gone?

    python benchmarks/keep_cost.py BUNDLE DATA [--blocks 180] [--out benchmarks/results/keep_cost.json]

Runs the live loop without pause on a simulated camera at 640x480 that plays the photographs of DATA. Its frames are
divided into blocks, in turn without keeping, with it, with a disk that has no room, and with a folder that is gone, so
that a change of the machine's load meets all of them. Every frame is offered as one that is close between two classes.
Ten times the default rate is kept, in a quarter of the time, so that the cost exceeds the noise. The processor
time is that of the whole process, which includes the thread that writes.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from contextlib import redirect_stderr
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import machine
import numpy as np

from edge_runtime import Classifier
from edge_runtime.classify.decision import Scored
from edge_runtime.collection.keeper import Keeper, Limits, Model
from edge_runtime.live.hooks import Hooks
from edge_runtime.live.sources.opening import open_source
from edge_runtime.live.stream import Stream

if TYPE_CHECKING:
    from edge_runtime.live.records import Frame, FramePrediction

WAYS = ("without", "keeping", "full", "gone")
RATE = 10 * Limits().per_minute
CLOSE = (Scored("one", 0.5), Scored("other", 0.45))
SAMPLES = 2000  # of the bootstrap


class Blocks:
    """Offers the frames of each block to the keeper of its way, and measures the blocks.

    Attributes:
        cpu_ms: processor time per frame of each complete block, by way.
        wall_ms: time per frame of each complete block, by way.

    """

    def __init__(self, keepers: dict[str, Keeper], length: int) -> None:
        self.cpu_ms: dict[str, list[float]] = {way: [] for way in WAYS}
        self.wall_ms: dict[str, list[float]] = {way: [] for way in WAYS}
        self._keepers, self._length = keepers, length
        self._frames = 0
        self._began = self._now()

    def on_frame(self, frame: Frame, prediction: FramePrediction) -> None:
        """Receive a frame in the loop's thread."""
        way = WAYS[self._frames // self._length % len(WAYS)]
        if way in self._keepers:
            self._keepers[way].offer(frame, replace(prediction, top=CLOSE))
        self._frames += 1
        if self._frames % self._length == 0:
            now = self._now()
            for times, end, begin in zip((self.cpu_ms, self.wall_ms), now, self._began, strict=True):
                times[way].append(1000 * (end - begin) / self._length)
            self._began = now

    @staticmethod
    def _now() -> tuple[float, float]:
        return time.process_time(), time.perf_counter()


def added(values: list[float], without: list[float]) -> dict[str, float]:
    """Return how much longer a frame takes than without keeping, as a fraction with its 95% interval by a bootstrap.

    The blocks are paired in the order of time; the first pair is the warm-up.
    """
    ours, base = (np.array(one[1 : min(len(values), len(without))]) for one in (values, without))
    draws = np.random.default_rng(0).integers(0, len(base), (SAMPLES, len(base)))
    ratios = ours[draws].mean(axis=1) / base[draws].mean(axis=1) - 1
    low, high = np.quantile(ratios, [0.025, 0.975])
    return {"added": float(ours.mean() / base.mean() - 1), "low": float(low), "high": float(high)}


def measure(bundle: str, images: str, blocks: int, length: int) -> dict[str, Any]:
    """Run the loop and return the cost of each way."""
    source = open_source(f"simulated:{images}?size=640x480&fps=0")
    limits = Limits(per_minute=RATE, random_share=0.0, min_free_bytes=0)
    with tempfile.TemporaryDirectory() as folder, redirect_stderr(StringIO()) as reports:
        root, model = Path(folder), Model("0" * 64, "benchmark")
        keepers = {
            "keeping": Keeper(root / "keeping", model, limits),
            "full": Keeper(root / "full", model, replace(limits, min_free_bytes=10**18)),
            "gone": Keeper(root / "gone", model, limits),
        }
        shutil.rmtree(root / "gone")
        measured = Blocks(keepers, length)
        began_s = time.perf_counter()
        hooks = Hooks(on_frame=measured.on_frame)
        Stream(source, Classifier.open(bundle, threads=1), [], frames=blocks * length, hooks=hooks).run()
        minutes = (time.perf_counter() - began_s) / 60
        for keeper in keepers.values():
            keeper.close()
        counts = {way: keeper.outbox.counts()._asdict() for way, keeper in keepers.items()}
        lines = [line for line in reports.getvalue().splitlines() if "kept frames" in line]
    ways = {way: added(measured.cpu_ms[way], measured.cpu_ms["without"]) for way in WAYS[1:]}
    wall = {way: added(measured.wall_ms[way], measured.wall_ms["without"]) for way in WAYS[1:]}
    return {
        "frames_per_way": blocks * length // len(WAYS),
        "cpu_ms_without": float(np.mean(measured.cpu_ms["without"][1:])),
        "wall_ms_without": float(np.mean(measured.wall_ms["without"][1:])),
        "rate_per_minute": RATE,
        "minutes": minutes,
        "cpu": ways,
        "wall": wall,
        "counts": counts,
        "reports": len(lines),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle")
    parser.add_argument("data", type=Path)
    parser.add_argument("--blocks", type=int, default=720)
    parser.add_argument("--length", type=int, default=25, help="frames in a block")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "keep_cost.json")
    args = parser.parse_args()
    images = str(next(path for path in sorted(args.data.iterdir()) if path.is_dir()))
    result = {"machine": machine.facts(), **measure(args.bundle, images, args.blocks, args.length)}
    args.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
