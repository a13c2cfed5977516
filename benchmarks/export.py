"""What are the size, latency, accuracy and agreement of each exported file, and how long does the export take?

    python benchmarks/export.py RUN... [--jobs 2] [--formats usual|all]

Runs whose names differ only in an ending such as -seed3 are also averaged. Writes benchmarks/results/export.json; the
rows of other runs are kept.
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

# This script has the name of the package that it measures, and its folder is the first entry of sys.path.
sys.path = [entry for entry in sys.path if Path(entry).resolve() != Path(__file__).resolve().parent]

from edge_runtime.errors import EdgeError  # noqa: E402 - after the change of sys.path
from export.artifacts import ALL_NAMES, ARTIFACT_NAMES, EXPENDABLE  # noqa: E402
from export.pipeline import export_run  # noqa: E402
from export.proof.plan import Plan  # noqa: E402
from trainer.options import BACKBONE_RECIPES  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "export.json"


SEED = re.compile(r"-seed\d+$")


def measure(run: Path, jobs: int, *, everything: bool) -> dict[str, Any]:
    """Export a run to a temporary folder; return a row for each artifact, or the reason if the export failed."""
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    arguments = metrics["arguments"]
    row = {
        "run": run.name,
        "model": arguments["model"],
        "weights": Path(arguments["weights"]).name if arguments["model"] in BACKBONE_RECIPES else None,
        "image_size": arguments["image_size"],
        "epochs": [phase["epochs"] for phase in metrics["phases"]],
        "jobs": jobs,
        "machine": machine.facts(),
    }
    start_s = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "bundle"
        try:
            export_run(run, out, Plan(ALL_NAMES if everything else ARTIFACT_NAMES, jobs=jobs, expendable=EXPENDABLE))
        except EdgeError as problem:
            return {**row, "refused": str(problem), "artifacts": []}
        seconds = time.perf_counter() - start_s
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
    """Average each artifact over the runs that differ only in their seed."""
    rows: defaultdict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for run in runs:
        for row in run["artifacts"] if SEED.search(run["run"]) else ():
            rows[SEED.sub("", run["run"]), row["artifact"]].append(row)
    return [
        {
            "runs": name,
            "artifact": artifact,
            "seeds": len(same),
            "images": sum(row["images"] for row in same),
            "accuracy": sum(row["accuracy"] for row in same) / len(same),
            "accuracy_lost": sum(row["reference_accuracy"] - row["accuracy"] for row in same) / len(same),
            "top1_agreement": sum(row["top1_agreement"] for row in same) / len(same),
            "largest_bytes": max(row["size_bytes"] for row in same),
        }
        for (name, artifact), same in rows.items()
        if len(same) > 1
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", metavar="RUN", nargs="+", type=Path)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--formats", choices=("usual", "all"), default="usual")
    args = parser.parse_args()
    kept = json.loads(RESULTS.read_text(encoding="utf-8"))["runs"] if RESULTS.exists() else []
    for run in args.runs:
        result = measure(run, args.jobs, everything=args.formats == "all")
        kept = sorted([item for item in kept if item["run"] != result["run"]] + [result], key=lambda item: item["run"])
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        RESULTS.write_text(json.dumps({"runs": kept, "averages": averages(kept)}, indent=2) + "\n", encoding="utf-8")
        show(result)
    for row in averages(kept):
        print(f"{row['runs']}, {row['seeds']} seeds: {row['artifact']} loses {row['accuracy_lost']:.2%}", end="")
        print(f", agrees on {row['top1_agreement']:.2%}, largest {row['largest_bytes'] / 1e6:.2f} MB")


def show(result: dict[str, Any]) -> None:
    """Print the result of one run."""
    if "refused" in result:
        print(f"{result['run']}: {result['refused']}")
        return
    print(f"{result['run']}: {result['export_s']} s, default {result['default']}")
    for row in result["artifacts"]:
        accuracy, agreement = f"{row['accuracy']:.1%}", f"{row['top1_agreement']:.1%}"
        print(f"  {row['artifact']:16}{row['size_bytes'] / 1e6:8.2f} MB{accuracy:>8}{agreement:>8}", end="")
        print(f"{row['latency_ms']:8.2f} ms")


if __name__ == "__main__":
    main()
