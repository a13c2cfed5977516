"""What does each exported form of a run keep of it: size, latency, accuracy, agreement, and how long is the export?

    python benchmarks/export.py RUN... [--jobs 2] [--formats usual|all]

Runs named alike but for an ending such as -seed3 are also averaged. Writes benchmarks/results/export.json; rows of runs
that are not named stay.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import machine

# This script has the name of the package that it measures, and its folder comes first where Python looks.
sys.path = [entry for entry in sys.path if Path(entry).resolve() != Path(__file__).resolve().parent]

from edge_runtime.errors import EdgeError  # noqa: E402 - once the path is mended
from export.artifacts import ALL_NAMES, ARTIFACT_NAMES, EXPENDABLE  # noqa: E402 - the same
from export.pipeline import export_run  # noqa: E402 - the same
from export.proof.plan import Plan  # noqa: E402 - the same

RESULTS = Path(__file__).parent / "results" / "export.json"


SEED = re.compile(r"-seed\d+$")


def measure(run: Path, jobs: int, *, everything: bool) -> dict[str, Any]:
    """Export a run to a folder that is thrown away; give a row for each artifact, or why nothing was published."""
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    asked = metrics["arguments"]
    row = {
        "run": run.name,
        "model": asked["model"],
        "weights": Path(asked["weights"]).name if asked["model"].startswith("mobilenet") else None,
        "image_size": asked["image_size"],
        "epochs": [phase["epochs"] for phase in metrics["phases"]],
        "jobs": jobs,
        "machine": machine.facts(),
    }
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "bundle"
        try:
            export_run(run, out, Plan(ALL_NAMES if everything else ARTIFACT_NAMES, jobs=jobs, expendable=EXPENDABLE))
        except EdgeError as problem:
            return {**row, "refused": str(problem), "artifacts": []}
        seconds = time.perf_counter() - started
        report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    artifacts = [
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
        **row,
        "export_s": round(seconds, 1),
        "default": report["default"],
        "artifacts": artifacts,
        "left_out": [attempt["failures"][0] for attempt in report["left_out"]],
        "ladder": [attempt["form"] for attempt in report["ladder"]],
        "fragility": report["fragility"],
    }


def averages(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Average each artifact over the runs that differ in their seed alone."""
    rows: defaultdict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for run in runs:
        for row in run["artifacts"] if SEED.search(run["run"]) else ():
            rows[SEED.sub("", run["run"]), row["artifact"]].append(row)
    return [
        {
            "runs": name,
            "artifact": artifact,
            "seeds": len(found),
            "images": sum(row["images"] for row in found),
            "accuracy": sum(row["accuracy"] for row in found) / len(found),
            "accuracy_lost": sum(row["reference_accuracy"] - row["accuracy"] for row in found) / len(found),
            "top1_agreement": sum(row["top1_agreement"] for row in found) / len(found),
            "largest_bytes": max(row["size_bytes"] for row in found),
        }
        for (name, artifact), found in rows.items()
        if len(found) > 1
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", metavar="RUN", nargs="+", type=Path)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--formats", choices=("usual", "all"), default="usual")
    args = parser.parse_args()
    kept = json.loads(RESULTS.read_text(encoding="utf-8"))["runs"] if RESULTS.exists() else []
    for run in args.runs:
        found = measure(run, args.jobs, everything=args.formats == "all")
        kept = sorted([item for item in kept if item["run"] != found["run"]] + [found], key=lambda item: item["run"])
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        RESULTS.write_text(json.dumps({"runs": kept, "averages": averages(kept)}, indent=2) + "\n", encoding="utf-8")
        show(found)
    for row in averages(kept):
        print(f"{row['runs']}, {row['seeds']} seeds: {row['artifact']} loses {row['accuracy_lost']:.2%}", end="")
        print(f", agrees on {row['top1_agreement']:.2%}, at most {row['largest_bytes'] / 1e6:.2f} MB")


def show(found: dict[str, Any]) -> None:
    if "refused" in found:
        print(f"{found['run']}: {found['refused']}")
        return
    print(f"{found['run']}: {found['export_s']} s, default {found['default']}")
    for row in found["artifacts"]:
        accuracy, agreement = f"{row['accuracy']:.1%}", f"{row['top1_agreement']:.1%}"
        print(f"  {row['artifact']:16}{row['size_bytes'] / 1e6:8.2f} MB{accuracy:>8}{agreement:>8}", end="")
        print(f"{row['latency_ms']:8.2f} ms")


if __name__ == "__main__":
    main()
