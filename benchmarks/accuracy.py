"""What accuracy does each network reach on photographs that training never saw, over seeds?

    python benchmarks/accuracy.py DATA... [--weights FILE] [--models cnn cnn_bn] [--seeds 0 1 2] [-- OPTION...]

FILE is a pretrained MobileNetV2; MobileNetV3 learns from scratch. Each row is one `edge-train train` with its defaults
and the options after `--`, or those of CHOSEN, in a process of its own. A seed changes the split too, so the spread
holds the chance of the test photographs. Writes results/accuracy.json; rows of other data, models, options and seeds
stay. `--table` prints what is there.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import machine

RESULTS = Path(__file__).parent / "results" / "accuracy.json"
# What did best in trials, on each set for each model; other data gets the models' defaults.
CHOSEN = {
    ("cats-dogs", "cnn"): "--augment photo --image-size 128 --epochs 80",
    ("cats-dogs", "cnn_bn"): "--augment photo --mixup 0.2",
    ("cats-dogs", "mobilenet_v3_small"): "--image-size 96 --augment photo --epochs 40",
    ("cats-dogs", "mobilenet_v3_large"): "--image-size 96 --augment photo --epochs 40",
    ("sign-digits", "cnn"): "--augment gentle --epochs 50",
    ("sign-digits", "cnn_bn"): "--augment gentle --image-size 96 --epochs 40",
    ("sign-digits", "mobilenet_v2"): "--augment none",
    ("sign-digits", "mobilenet_v3_small"): "--image-size 96 --augment gentle --epochs 30",
    ("sign-digits", "mobilenet_v3_large"): "--image-size 96 --augment gentle --epochs 20",
}
# One seed will do for those that learn a million weights and more from scratch: they stand here for their exports.
SEEDS = {
    "cnn": range(5),
    "cnn_bn": range(5),
    "mobilenet_v2": range(5),
    "mobilenet_v3_small": range(1),
    "mobilenet_v3_large": range(1),
}
COLUMNS = (
    "data",
    "model",
    "options",
    "seeds",
    "accuracy",
    "lowest",
    "highest",
    "ece",
    "epochs",
    "minutes",
    "parameters",
)


def trained(data: Path, model: str, seed: int, options: list[str], keep: Path | None) -> dict[str, Any]:
    """Train once; give the row."""
    with tempfile.TemporaryDirectory() as scratch:
        run = (keep or Path(scratch)) / f"{data.name}-{model}-seed{seed}"
        words = ["train", str(data), "--model", model, "--seed", str(seed), "--out", str(run), "--json", *options]
        words += ["--overwrite"] if run.exists() else []
        subprocess.run([sys.executable, "-m", "trainer.cli", *words], check=True, stdout=subprocess.DEVNULL)
        metrics = json.loads((run / "metrics.json").read_text())
    return {
        "data": data.name,
        "model": model,
        "options": told(options),
        "seed": seed,
        "accuracy": metrics["test"]["accuracy"],
        "images": metrics["test"]["images"],
        "training_images": sum(metrics["data"]["splits"]["train"].values()),
        "expected_calibration_error": metrics["calibration"]["expected_calibration_error"],
        "expected_calibration_error_before": metrics["calibration"]["expected_calibration_error_before"],
        "epochs": sum(phase["epochs"] for phase in metrics["phases"]),
        "image_size": metrics["arguments"]["image_size"],
        "parameters": metrics["parameters"],
        "seconds": metrics["wall_s"],
        "machine": machine.facts(),
    }


def options_of(data: Path, model: str, weights: Path | None, asked: list[str]) -> list[str]:
    """Give what a row is trained with: a backbone's weights, and what is asked for, or else chosen for it."""
    backbones = {"mobilenet_v3_small": ["--weights", "none"], "mobilenet_v3_large": ["--weights", "none"]}
    if weights:
        backbones["mobilenet_v2"] = ["--weights", str(weights)]
    return backbones.get(model, []) + (asked or CHOSEN.get((data.name, model), "").split())


def told(options: list[str]) -> str:
    """Give options as one line that holds no path of this machine."""
    return " ".join(Path(word).name if "/" in word else word for word in options)


def summary(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give a row for each data, model and options, over their seeds."""
    groups: defaultdict[tuple[str, str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        groups[row["data"], row["model"], row["options"]].append(row)
    return [
        {
            "data": data,
            "model": model,
            "options": options,
            "seeds": len(own),
            "accuracy": mean(row["accuracy"] for row in own),
            "deviation": stdev(row["accuracy"] for row in own) if len(own) > 1 else None,
            "lowest": min(row["accuracy"] for row in own),
            "highest": max(row["accuracy"] for row in own),
            "ece": mean(row["expected_calibration_error"] for row in own),
            "epochs": mean(row["epochs"] for row in own),
            "minutes": mean(row["seconds"] for row in own) / 60,
            "parameters": own[0]["parameters"],
        }
        for (data, model, options), own in sorted(groups.items())
    ]


def print_table(rows: list[dict[str, Any]]) -> None:
    forms = {"accuracy": ".1%", "lowest": ".1%", "highest": ".1%", "ece": ".3f", "epochs": ".0f", "minutes": ".1f"}
    cells = [COLUMNS, *([format(row[name], forms.get(name, "")) for name in COLUMNS] for row in summary(rows))]
    widths = [max(len(row[at]) for row in cells) for at in range(len(COLUMNS))]
    for row in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def write(rows: list[dict[str, Any]]) -> None:
    RESULTS.parent.mkdir(exist_ok=True)
    order = sorted(rows, key=lambda row: (row["data"], row["model"], row["options"], row["seed"]))
    RESULTS.write_text(json.dumps({"summary": summary(order), "rows": order}, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="*")
    parser.add_argument("--models", nargs="+", choices=SEEDS, default=list(SEEDS))
    parser.add_argument("--seeds", type=int, nargs="+", help="those of SEEDS unless told")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="of the backbone")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the RUNs there")
    parser.add_argument("--table", action="store_true", help="train nothing")
    words = sys.argv[1:]
    at = words.index("--") if "--" in words else len(words)
    args, asked = parser.parse_args(words[:at]), words[at + 1 :]
    rows = json.loads(RESULTS.read_text())["rows"] if RESULTS.exists() else []
    for data in [] if args.table else args.data:
        for model in args.models:
            for seed in args.seeds or SEEDS[model]:
                row = trained(data, model, seed, options_of(data, model, args.weights, asked), args.keep)
                same = ("data", "model", "options", "seed")
                rows = [old for old in rows if any(old[key] != row[key] for key in same)] + [row]
                write(rows)
                print(f"{data.name} {model} seed {seed}: {row['accuracy']:.1%} in {row['seconds']:.0f} s", flush=True)
    print_table(rows)


if __name__ == "__main__":
    main()
