"""Does the predicted accuracy with twice as many photographs come true?

    python benchmarks/learning_curve.py DATA... --weights FILE [--seeds 5] [--halves 4] [--out FILE]

DATA are sets of photographs with one folder for each class. For each set and seed, trains a RUN on all photographs.
Then hides half of the photographs of each class and split, several times, predicts from the other half what twice as
many photographs give, and compares it with the accuracy that the RUN measured on its test photographs.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

# The benchmark export.py would hide the package of that name.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import machine
import numpy as np
from unknown import command


def half_of(labels: Any, splits: Any, seed: int) -> Any:  # noqa: ANN401 - NumPy arrays
    """Return rows of half of the photographs of each class in each split, at least one of each."""
    random = np.random.default_rng(seed)
    groups = [np.flatnonzero((labels == one) & (splits == part)) for one in np.unique(labels) for part in range(3)]
    return np.concatenate([random.permutation(own)[: max(1, len(own) // 2)] for own in groups if len(own)])


def train_run(data: Path, weights: Path, seed: int, run: Path) -> None:
    """Train a head on frozen features, as the learning curve assumes."""
    options = ("--weights", weights, "--fine-tune-layers", 0, "--seed", seed, "--out", run)
    command("trainer.cli", "train", data, *options)


def compare(run: Path, halves: int) -> list[dict[str, Any]]:
    """Return one row for each half: what it predicts, and what the RUN measured with all photographs."""
    from trainer.evaluation.learning_curve import learning_curve

    measured = json.loads((run / "metrics.json").read_text())["test"]
    names = tuple(measured["per_class"])
    with np.load(run / "features.npz") as arrays:
        features, labels, splits = (arrays[name] for name in ("features", "labels", "splits"))
    rows = []
    for seed in range(halves):
        chosen = half_of(labels, splits, seed)
        training, _, test = (float(np.mean(splits[chosen] == part)) for part in range(3))
        found = learning_curve(features[chosen], labels[chosen], names, training=training, test=test, seed=seed)
        total, recalls = found.total, [measured["per_class"][name]["recall"] for name in names]
        inside = [one.low <= recall <= one.high for one, recall in zip(found.classes, recalls, strict=True)]
        rows.append(
            {
                "half": seed,
                "photographs": total.photographs,
                "now": total.now,
                "predicted": total.twice,
                "low": total.low,
                "high": total.high,
                "measured": measured["accuracy"],
                "inside": total.low <= measured["accuracy"] <= total.high,
                "classes": len(inside),
                "classes_inside": sum(inside),
            }
        )
    return rows


def main() -> None:
    """Measure every set and seed, and write the rows after each of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--halves", type=int, default=4)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "learning_curve.json")
    args = parser.parse_args()
    result: dict[str, Any] = {"machine": machine.facts(), "rows": []}
    for data in args.data:
        for seed in range(args.seeds):
            with tempfile.TemporaryDirectory() as folder:
                run = Path(folder) / "run"
                train_run(data, args.weights, seed, run)
                rows = [{"data": data.name, "seed": seed, **row} for row in compare(run, args.halves)]
            result["rows"] += rows
            args.out.write_text(json.dumps(result, indent=1) + "\n")
            for row in rows:
                print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
