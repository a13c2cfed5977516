"""What does each exported form of a run keep of it: size, latency, accuracy, agreement, and how long is the export?

    python benchmarks/export.py RUN... [--jobs 2]

Writes benchmarks/results/export.json; rows of runs that are not named stay.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

# This script has the name of the package that it measures, and its folder comes first where Python looks.
sys.path = [entry for entry in sys.path if Path(entry).resolve() != Path(__file__).resolve().parent]

from export.artifacts import ARTIFACT_NAMES  # noqa: E402 - once the path is mended
from export.pipeline import export_run  # noqa: E402 - the same
from export.prove import Plan  # noqa: E402 - the same

RESULTS = Path(__file__).parent / "results" / "export.json"


def machine() -> dict[str, Any]:
    """Give the machine's facts; the load tells how far to trust the times."""
    model = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), ":unknown")
    return {
        "cpu": model.split(":")[1].strip(),
        "cores": len(os.sched_getaffinity(0)),
        "load": round(os.getloadavg()[0], 1),
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def measure(run: Path, jobs: int) -> dict[str, Any]:
    """Export a run to a folder that is thrown away; give a row for each artifact."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "bundle"
        export_run(run, out, Plan(ARTIFACT_NAMES, jobs=jobs))
        seconds = time.perf_counter() - started
        report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    rows = [
        {
            "artifact": item["name"],
            "size_bytes": item["size_bytes"],
            "latency_ms": item["latency_ms"],
            "loss_interval_95": item["loss_interval_95"],
            "flips": len(item["flips"]),
            **item["parity"],
        }
        for item in report["artifacts"]
    ]
    return {
        "run": run.name,
        "model": json.loads((run / "metrics.json").read_text(encoding="utf-8")).get("model"),
        "export_s": round(seconds, 1),
        "jobs": jobs,
        "default": report["default"],
        "machine": machine(),
        "artifacts": rows,
        "fragility": report["fragility"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", metavar="RUN", nargs="+", type=Path)
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    kept = json.loads(RESULTS.read_text(encoding="utf-8"))["runs"] if RESULTS.exists() else []
    for run in args.runs:
        found = measure(run, args.jobs)
        kept = [item for item in kept if item["run"] != found["run"]] + [found]
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        RESULTS.write_text(json.dumps({"runs": kept}, indent=2) + "\n", encoding="utf-8")
        print(f"{found['run']}: {found['export_s']} s, default {found['default']}")
        for row in found["artifacts"]:
            accuracy, agreement = f"{row['accuracy']:.1%}", f"{row['top1_agreement']:.1%}"
            print(f"  {row['artifact']:16}{row['size_bytes'] / 1e6:8.2f} MB{accuracy:>8}{agreement:>8}", end="")
            print(f"{row['latency_ms']:8.2f} ms")


if __name__ == "__main__":
    main()
