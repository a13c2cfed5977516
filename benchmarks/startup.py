"""How long does `edge-run classify` of one photograph take, and how much memory does it use?

    python benchmarks/startup.py BUNDLE PHOTO [--runs 15] [--out benchmarks/results/startup.json]

Classifies the photograph in a new process for each run, in an environment with only the `pi` extra. Writes
results/startup.json.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import time
from pathlib import Path

import machine
from environments import DEVICE, environment

ROOT = Path(__file__).resolve().parents[1]


def timed(command: list[str]) -> tuple[float, float]:
    """Run a command; return its wall time in seconds and its peak resident memory in MB."""
    start_s = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{command} failed")
    return time.perf_counter() - start_s, usage.ru_maxrss / 1000


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("photo", type=Path)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "startup.json")
    args = parser.parse_args()
    with environment(DEVICE) as python:
        command = [str(Path(python).with_name("edge-run")), "classify", str(args.bundle), str(args.photo)]
        timed(command)  # fills the disk cache
        runs = [timed(command) for _ in range(args.runs)]
    result = {
        "machine": machine.facts(),
        "runs": args.runs,
        "seconds": {"median": statistics.median(s for s, _ in runs), "max": max(s for s, _ in runs)},
        "peak_resident_mb": max(mb for _, mb in runs),
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(result, indent=2) + "\n")
    print(f"process start to exit: median {result['seconds']['median']:.2f} s, max {result['seconds']['max']:.2f} s")
    print(f"peak resident memory: {result['peak_resident_mb']:.0f} MB")


if __name__ == "__main__":
    main()
