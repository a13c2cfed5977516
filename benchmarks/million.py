"""Does classifying a million files take more memory than a few? Hard links to one small image, in flat folders.

    python benchmarks/million.py BUNDLE IMAGE [--files 1000000] [--flat]

Writes results/million.json; exits with 1 if resident memory has grown. Without --flat a thousand files share a folder.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import machine

RESULTS = Path(__file__).parent / "results"
MOST_LINKS = 10_000  # of one file; ext4 allows 65,000
SAMPLES = 40
MOST_GROWTH_MB = 4.0  # from a tenth of the way to the end


def link(image: Path, top: Path, files: int, *, flat: bool) -> None:
    for number in range(files):
        if number % MOST_LINKS == 0:
            original = Path(shutil.copy(image, top / f".{number}{image.suffix}"))  # hidden: no image of the folder
        folder = top if flat else top / f"{number // 1000:05}"
        if not flat and number % 1000 == 0:
            folder.mkdir()
        os.link(original, folder / f"{number:08}{image.suffix}")


def resident_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def run(bundle: str, top: Path, files: int) -> list[dict[str, float]]:
    command = [sys.executable, "-m", "edge_runtime.cli", "classify", bundle, str(top), "--json", "--threads", "1"]
    rows, done, began = [], 0, time.monotonic()
    with subprocess.Popen([*command, "--workers", "2"], stdout=subprocess.PIPE) as process:
        for done, _ in enumerate(process.stdout or (), 1):
            if done % max(1, files // SAMPLES) == 0:
                row = {"files": done, "seconds": round(time.monotonic() - began, 1)}
                rows.append({**row, "memory_mb": round(resident_mb(process.pid), 2)})
    if process.returncode or done != files:
        raise SystemExit(f"exit code {process.returncode} after {done} of {files} files")
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle")
    parser.add_argument("image", type=Path)
    parser.add_argument("--files", type=int, default=1_000_000)
    parser.add_argument("--flat", action="store_true", help="all in one folder")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as top:
        link(args.image, Path(top), args.files, flat=args.flat)
        rows = run(args.bundle, Path(top), args.files)
    settled = [row["memory_mb"] for row in rows if row["files"] >= args.files // 10]
    grown = round(settled[-1] - settled[0], 2)
    result = {"machine": machine.facts(), "files": args.files, "flat": args.flat, "growth_mb": grown, "rows": rows}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / ("million_flat.json" if args.flat else "million.json")).write_text(json.dumps(result, indent=1) + "\n")
    print(f"{args.files:,} files in {rows[-1]['seconds']:.0f} s; resident {settled[0]} MB at a tenth, {settled[-1]} MB")
    return int(grown > MOST_GROWTH_MB)


if __name__ == "__main__":
    sys.exit(main())
