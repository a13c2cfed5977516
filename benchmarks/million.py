"""Does the memory of `edge-run classify` grow over a million files?

    python benchmarks/million.py BUNDLE IMAGE [--files 1000000] [--flat]

The files are hard links to one small image, a thousand in each folder, or all in one folder with --flat. Writes
results/million.json or results/million_flat.json; exits with 1 if the resident memory has grown.
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
MAX_LINKS = 10_000  # of one file; ext4 allows 65,000
SAMPLES = 40
MAX_GROWTH_MB = 4.0  # from a tenth of the files to the end


def link(image: Path, top: Path, files: int, *, flat: bool) -> None:
    """Fill a folder with hard links to an image."""
    for number in range(files):
        if number % MAX_LINKS == 0:
            original = Path(shutil.copy(image, top / f".{number}{image.suffix}"))  # hidden, so not classified
        folder = top if flat else top / f"{number // 1000:05}"
        if not flat and number % 1000 == 0:
            folder.mkdir()
        os.link(original, folder / f"{number:08}{image.suffix}")


def resident_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def run(bundle: str, top: Path, files: int) -> list[dict[str, float]]:
    """Classify the folder and return samples of the process's resident memory."""
    command = [sys.executable, "-m", "edge_runtime.cli", "classify", bundle, str(top), "--json", "--threads", "1"]
    rows, done, start_s = [], 0, time.monotonic()
    with subprocess.Popen([*command, "--workers", "2"], stdout=subprocess.PIPE) as process:
        for done, _ in enumerate(process.stdout or (), 1):
            if done % max(1, files // SAMPLES) == 0:
                row = {"files": done, "seconds": round(time.monotonic() - start_s, 1)}
                rows.append({**row, "memory_mb": round(resident_mb(process.pid), 2)})
    if process.returncode or done != files:
        raise SystemExit(f"exit code {process.returncode} after {done} of {files} files")
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle")
    parser.add_argument("image", type=Path, help="a small image")
    parser.add_argument("--files", type=int, default=1_000_000)
    parser.add_argument("--flat", action="store_true", help="put all files in one folder")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as top:
        link(args.image, Path(top), args.files, flat=args.flat)
        rows = run(args.bundle, Path(top), args.files)
    settled = [row["memory_mb"] for row in rows if row["files"] >= args.files // 10]
    growth_mb = round(settled[-1] - settled[0], 2)
    result = {"machine": machine.facts(), "files": args.files, "flat": args.flat, "growth_mb": growth_mb, "rows": rows}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / ("million_flat.json" if args.flat else "million.json")).write_text(json.dumps(result, indent=1) + "\n")
    print(
        f"{args.files:,} files in {rows[-1]['seconds']:.0f} s; resident memory {settled[0]} MB after a tenth,"
        f" {settled[-1]} MB at the end"
    )
    return int(growth_mb > MAX_GROWTH_MB)


if __name__ == "__main__":
    sys.exit(main())
