"""Do memory, threads or open files grow over a day of `watch`?

    python benchmarks/soak.py BUNDLE IMAGES [--frames 86400] [--fps 1000]

Plays 24 hours of video with one frame per second, accelerated, with one camera fault per hour. Writes
results/soak.json, and soak.png if matplotlib is installed. Exits with 1 if memory, threads or open files have grown.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import machine

from edge_runtime.classify.classifier import Classifier
from edge_runtime.live.capture import Patience
from edge_runtime.live.sources.simulated import SimulatedCamera
from edge_runtime.live.stream import Stream

if TYPE_CHECKING:
    from edge_runtime.live.records import Event, FramePrediction

RESULTS = Path(__file__).parent / "results"
HOUR = 3600
MAX_GROWTH_MB = 2.0  # from the second to the last quarter; the memory allocator causes some variation
FAULTS = ("stall={}:0.7", "disconnect={}:0.3", "corrupt={}:20", "freeze={}:20", "shape={}:320x240", "jump={}:-7200")


class Samples:
    """A sink that takes a sample of the process every `every` frames."""

    def __init__(self, every: int) -> None:
        self.rows: list[dict[str, float]] = []
        self.frames = 0
        self._every = every

    def prediction(self, prediction: FramePrediction) -> None:
        self.frames += 1
        if self.frames % self._every == 0:
            self.rows.append({"frames": self.frames, "source_frame": prediction.frame, **sample()})

    def event(self, event: Event) -> None:
        pass

    def close(self) -> None:
        pass


def sample() -> dict[str, float]:
    """Return this process's resident memory, threads, open files and Python memory blocks."""
    resident_pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {
        "memory_mb": round(resident_pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 2),
        "threads": threading.active_count(),
        "handles": sum(1 for _ in Path("/proc/self/fd").iterdir()),
        # Not gc.get_objects(): TensorFlow Lite refuses to run while another thread has a reference to its interpreter.
        "memory_blocks": sys.getallocatedblocks(),
    }


def faults(frames: int) -> str:
    """Return the simulated camera's options for one fault per hour of frames."""
    hours = range(1, frames // HOUR + 1)
    return "".join("&" + FAULTS[hour % len(FAULTS)].format(hour * HOUR) for hour in hours)


def growth(rows: list[dict[str, float]]) -> dict[str, float]:
    """Return the growth of each value's median from the second to the last quarter."""
    quarter = len(rows) // 4
    return {
        name: round(
            median(row[name] for row in rows[-quarter:]) - median(row[name] for row in rows[quarter : 2 * quarter]), 2
        )
        for name in ("memory_mb", "threads", "handles", "memory_blocks")
    }


def draw(rows: list[dict[str, float]], path: Path) -> bool:
    """Draw memory, threads and open files; return False if matplotlib is not installed."""
    try:
        import matplotlib as mpl

        mpl.use("Agg")
        from matplotlib import pyplot as plt
    except ImportError:
        return False
    figure, axes = plt.subplots(2, 1, sharex=True, figsize=(8, 5), layout="constrained")
    hours = [row["source_frame"] / HOUR for row in rows]
    axes[0].plot(hours, [row["memory_mb"] for row in rows])
    axes[0].set(ylabel="resident memory, MB", title="A day of watch, accelerated, one fault per hour")
    for name, label in (("threads", "threads"), ("handles", "open files")):
        axes[1].plot(hours, [row[name] for row in rows], label=label)
    axes[1].set(xlabel="simulated hours")
    for axis in axes:
        axis.set_ylim(0, 1.2 * axis.get_ylim()[1])
    axes[1].legend()
    figure.savefig(path, dpi=110)
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle")
    parser.add_argument("images", help="a folder of photographs for the simulated camera")
    parser.add_argument("--frames", type=int, default=24 * HOUR)
    parser.add_argument("--fps", type=int, default=1000)
    args = parser.parse_args()
    samples = Samples(max(1, args.frames // 480))
    source = SimulatedCamera(f"simulated:{args.images}?fps={args.fps}&size=320x240{faults(args.frames)}")
    start_s = time.monotonic()
    tally = Stream(
        source,
        Classifier.open(args.bundle, threads=1),
        [samples],
        patience=Patience(stall_timeout_s=0.4, give_up_s=60.0, first_wait_s=0.05),
        stop=stop_after(source, args.frames),
    ).run()
    growths = growth(samples.rows)
    result = {
        "machine": machine.facts(),
        "simulated_hours": args.frames / HOUR,
        "seconds": round(time.monotonic() - start_s, 1),
        "predictions": tally.predictions,
        "events": tally.events,
        "growth": growths,
        "rows": samples.rows,
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "soak.json").write_text(json.dumps(result, indent=1) + "\n")
    drawn = draw(samples.rows, RESULTS / "soak.png")
    print(json.dumps({key: value for key, value in result.items() if key not in {"rows", "machine"}}, indent=2))
    print(f"wrote {RESULTS / 'soak.json'}" + (" and soak.png" if drawn else ""))
    return int(growths["memory_mb"] > MAX_GROWTH_MB or growths["threads"] > 0 or growths["handles"] > 0)


def stop_after(source: SimulatedCamera, frames: int) -> threading.Event:
    """Return an event that is set when the camera has played `frames` frames, including dropped ones."""
    stop = threading.Event()

    def wait() -> None:
        while source._playback.frame < frames:
            time.sleep(0.05)
        stop.set()

    threading.Thread(target=wait, daemon=True).start()
    return stop


if __name__ == "__main__":
    sys.exit(main())
