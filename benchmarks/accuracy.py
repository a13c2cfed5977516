"""Which accuracy does each network reach on held-out photographs, over several seeds?

    python benchmarks/accuracy.py DATA... [--weights FILE] [--models cnn cnn_bn] [--seeds 0 1 2] [-- OPTION...]

FILE is a pretrained MobileNetV2; EfficientNet-Lite0 has the weights of its package, and MobileNetV3 is trained from
scratch. Each row is one `edge-train train` with its defaults and the options after `--`, or those in BEST_OPTIONS, in a
process of its own. A seed changes the split too, so the spread includes the effect of the split. Writes
results/accuracy.json; rows of other data, models, options and seeds are kept. `--table` only prints the existing ones.
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
# The options with the best accuracy in trials, for data and model; other data uses the defaults of the models.
BEST_OPTIONS = {
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
# MobileNetV3 from scratch is included for its exported files, so one seed is enough.
SEEDS = {
    "cnn": range(5),
    "cnn_bn": range(5),
    "mobilenet_v2": range(5),
    "efficientnet_lite0": range(3),
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


def train(data: Path, model: str, seed: int, options: list[str], keep: Path | None) -> dict[str, Any]:
    """Train one model and return its row. Keep the RUN in the folder `keep`, or delete it if that is None."""
    with tempfile.TemporaryDirectory() as scratch:
        run = (keep or Path(scratch)) / f"{data.name}-{model}-seed{seed}"
        words = ["train", str(data), "--model", model, "--seed", str(seed), "--out", str(run), "--json", *options]
        words += ["--overwrite"] if run.exists() else []
        subprocess.run([sys.executable, "-m", "trainer.cli", *words], check=True, stdout=subprocess.DEVNULL)
        metrics = json.loads((run / "metrics.json").read_text())
    return {
        "data": data.name,
        "model": model,
        "options": without_folders(options),
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


def options_of(data: Path, model: str, weights: Path | None, given: list[str]) -> list[str]:
    """Return the training options of a row: the backbone's weights, and the given options or the best known ones."""
    backbones = {"mobilenet_v3_small": ["--weights", "none"], "mobilenet_v3_large": ["--weights", "none"]}
    if weights:
        backbones["mobilenet_v2"] = ["--weights", str(weights)]
    return backbones.get(model, []) + (given or BEST_OPTIONS.get((data.name, model), "").split())


def without_folders(options: list[str]) -> str:
    """Return options as one line, with file names instead of paths."""
    return " ".join(Path(word).name if "/" in word else word for word in options)


def summary(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return one row for each combination of data, model and options, over the seeds."""
    groups: defaultdict[tuple[str, str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        groups[row["data"], row["model"], row["options"]].append(row)
    return [
        {
            "data": data,
            "model": model,
            "options": options,
            "seeds": len(same),
            "accuracy": mean(row["accuracy"] for row in same),
            "deviation": stdev(row["accuracy"] for row in same) if len(same) > 1 else None,
            "lowest": min(row["accuracy"] for row in same),
            "highest": max(row["accuracy"] for row in same),
            "ece": mean(row["expected_calibration_error"] for row in same),
            "epochs": mean(row["epochs"] for row in same),
            "minutes": mean(row["seconds"] for row in same) / 60,
            "parameters": same[0]["parameters"],
        }
        for (data, model, options), same in sorted(groups.items())
    ]


def print_table(rows: list[dict[str, Any]]) -> None:
    """Print the summary of the rows as aligned columns."""
    forms = {"accuracy": ".1%", "lowest": ".1%", "highest": ".1%", "ece": ".3f", "epochs": ".0f", "minutes": ".1f"}
    cells = [COLUMNS, *([format(row[name], forms.get(name, "")) for name in COLUMNS] for row in summary(rows))]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def write(rows: list[dict[str, Any]]) -> None:
    """Write the sorted rows and their summary."""
    RESULTS.parent.mkdir(exist_ok=True)
    order = sorted(rows, key=lambda row: (row["data"], row["model"], row["options"], row["seed"]))
    RESULTS.write_text(json.dumps({"summary": summary(order), "rows": order}, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="*", help="folders with one folder of photographs for each class")
    parser.add_argument("--models", nargs="+", choices=SEEDS, default=list(SEEDS))
    parser.add_argument("--seeds", type=int, nargs="+", help="default: SEEDS")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="weights of the pretrained MobileNetV2")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the RUNs in this folder")
    parser.add_argument("--table", action="store_true", help="train nothing, only print the table")
    words = sys.argv[1:]
    at = words.index("--") if "--" in words else len(words)
    args, given = parser.parse_args(words[:at]), words[at + 1 :]
    rows = json.loads(RESULTS.read_text())["rows"] if RESULTS.exists() else []
    for data in [] if args.table else args.data:
        for model in args.models:
            for seed in args.seeds or SEEDS[model]:
                row = train(data, model, seed, options_of(data, model, args.weights, given), args.keep)
                identity = ("data", "model", "options", "seed")
                rows = [old for old in rows if any(old[key] != row[key] for key in identity)] + [row]
                write(rows)
                print(f"{data.name} {model} seed {seed}: {row['accuracy']:.1%} in {row['seconds']:.0f} s", flush=True)
    print_table(rows)


if __name__ == "__main__":
    main()
