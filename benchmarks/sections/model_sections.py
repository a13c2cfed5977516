"""The sections about training and export: accuracy, exported files, input rescaling, training time, data size."""

from __future__ import annotations

from trainer.options import BACKBONE_RECIPES

from .markdown import Results, chart, machine_line, number, table

MB = 1e6
# The keys of an epoch's results in training.json.
PIPELINES = {
    "image_data_generator": "ImageDataGenerator, TensorFlow with default settings",
    "edge_train": "`edge-train`",
    "floor": "none: the same batch from memory in every step",
    "floor_default": "none, TensorFlow with default settings",
}


def accuracy_table(results: Results) -> str:
    rows = (results.get("accuracy") or {}).get("summary") or []
    if not rows:
        return ""
    return table(
        ("data", "model", "options", "accuracy", "lowest to highest", "seeds", "parameters", "minutes"),
        [
            (
                row["data"],
                f"`{row['model']}`, {_start(row)}",
                f"`{row['options']}`" if row.get("options") else "",
                number(row["accuracy"], ".1%"),
                f"{row['lowest']:.1%} to {row['highest']:.1%}",
                row["seeds"],
                number(row.get("parameters"), ",.0f"),
                number(row.get("minutes"), ".1f"),
            )
            for row in rows
        ],
    )


def _start(row: Results) -> str:
    """Return whether a row's model was pretrained."""
    backbone = row["model"] in BACKBONE_RECIPES
    return "pretrained" if backbone and "--weights none" not in row.get("options", "") else "from scratch"


def accuracy(results: Results) -> str:
    rows = accuracy_table(results)
    if not rows:
        return ""
    seeds = results["accuracy"].get("rows") or [{}]
    return f"""## Accuracy

Accuracy on held-out photographs, as the mean over the seeds. Each seed also makes another split, so the range includes
the effect of the split. `benchmarks/accuracy.py` trains each model with its default options and the listed ones.
MobileNetV3 was trained from scratch, for the sake of its exported files; these rows say nothing about a pretrained one.

{rows}

{machine_line(seeds[0])}"""


def exports(results: Results) -> str:
    runs = (results.get("export") or {}).get("runs") or []
    if not runs:
        return ""
    parts = [
        """## Exported files

Every exported file is opened again and run on the held-out photographs. *Agreement* is the fraction of photographs with
the same predicted class as the trained model, *changed* the number of the others. *ms* is the inference time of one
image in the file's runtime with one thread, without decoding and resizing.
"""
    ]
    if sum(len(run["artifacts"]) for run in runs) > 1:
        parts.append(chart("artifacts", "Accuracy against latency and size of every exported file"))
    return "\n".join([*parts, *map(_exported_run, runs)])


def _exported_run(run: Results) -> str:
    if not run["artifacts"]:
        return f"**{run['run']}**: {run.get('refused', 'nothing was exported')}"
    images = max(item.get("images", 0) for item in run["artifacts"])
    rows = [
        (
            _artifact(item, run.get("default"), images),
            number(item["size_bytes"] / MB, ".2f"),
            number(item["accuracy"], ".1%"),
            number(item["top1_agreement"], ".1%"),
            item.get("flips", "-"),
            number(item["latency_ms"], ".2f"),
        )
        for item in run["artifacts"]
    ]
    jobs = f" with {run['jobs']} processes" if run.get("jobs") else ""
    export_s = number(run.get("export_s"), ".0f")
    return (
        f"**{run['run']}**, {images} held-out photographs; the export took {export_s} s{jobs}."
        f"\n\n{table(('file', 'MB', 'accuracy', 'agreement', 'changed', 'ms'), rows)}\n\n{machine_line(run)}"
    )


def _artifact(item: Results, default: str | None, images: int) -> str:
    """Name an exported file, with its number of photographs if a slow runtime measured only some of them."""
    notes = ["default"] if item["artifact"] == default else []
    if item.get("images", images) < images:
        notes.append(f"{item['images']} photographs")
    return f"`{item['artifact']}`" + (f" ({', '.join(notes)})" if notes else "")


def rescaling(results: Results) -> str:
    result = results.get("rescaling") or {}
    rows = [
        (
            name,
            number(result[name]["convolution_ms"], ".3f"),
            number(result[name]["rescaled_convolution_ms"], ".3f"),
            number(result[name]["cost_ms"], ".3f"),
            number(result[name]["model_ms"], ".1f"),
            number(result[name]["share"], ".1%"),
        )
        for name in ("litert", "tflite-runtime")
        if name in result
    ]
    if not rows:
        return ""
    head = ("runtime", "convolution ms", "with rescaling ms", "difference ms", "complete model ms", "share")
    return f"""## Cost of input rescaling

An int8 file takes pixels in 0..255 and rescales them to -1..1 with two operations before the first convolution. The
table compares MobileNetV2's first convolution at {result["side"]} x {result["side"]} with and without them, one thread.
*Share* is the difference relative to the complete int8 model.

{table(head, rows)}

{machine_line(result)}"""


def training(results: Results) -> str:
    result = results.get("training") or {}
    parts = []
    if epoch := result.get("epoch"):
        parts.append(_epoch(epoch))
    if command := result.get("mobilenet"):
        parts.append(_command(command))
    if restart := result.get("restart"):
        parts.append(
            f"From the end of TensorFlow's import to the end of the first training step: {restart['first_run_s']:.1f} s"
            f" in the first run on a data folder, {restart['second_run_s']:.1f} s in the second, which reads the pixels"
            " from the cache.\n"
        )
    return "\n".join(["## Training time\n", *parts]) if parts else ""


def _command(command: Results) -> str:
    rows = [
        (name, number(command[name]["seconds"], ".0f"), number(command[name]["test_accuracy"], ".1%"))
        for name in ("cold", "warm")
        if name in command
    ]
    return f"""The complete `edge-train train` command with MobileNetV2, from reading the data to the evaluation:

{table(("pixel cache", "s", "test accuracy"), rows)}

{machine_line(command)}"""


def _epoch(epoch: Results) -> str:
    rows = [(name, number(epoch["median_s"].get(pipeline), ".1f")) for pipeline, name in PIPELINES.items()]
    ratio, speed_up = epoch["edge_train_over_floor"], epoch["image_data_generator_over_edge_train"]
    return f"""One epoch of the baseline CNN on {epoch["images"]} photographs of {epoch["side"]} x
{epoch["side"]} pixels. The data pipelines run alternately, each in its own process. `edge-train` takes {ratio:.2f}
times as long as training without a data pipeline, and ImageDataGenerator takes {speed_up:.1f} times as long as
`edge-train`. The ratios compare the fastest epochs, the table shows medians.

{chart("training", "Seconds per epoch with ImageDataGenerator and with edge-train")}
{table(("data pipeline", "s"), rows)}

{machine_line(epoch)}"""


def dataset_scale(results: Results) -> str:
    result = results.get("dataset_scale") or {}
    if not result.get("rows"):
        return ""
    rows = [
        (
            f"{row['images']:,}",
            *(number(row.get(f"{step}_s"), ".2f") for step in ("scan", "cache", "read_again", "epoch")),
            number(row.get("cache_mb"), ",.0f"),
            number(row.get("peak_mb"), ",.0f"),
        )
        for row in result["rows"]
    ]
    return f"""## Time and memory for large data sets

Drawn shapes, preprocessed to {result.get("side", "?")} x {result.get("side", "?")} pixels. The table shows the time to
list the files, to fill the pixel cache, to read it again and to train the baseline CNN for one epoch, the size of the
cache and the peak memory of the process.

{chart("dataset_scale", "Time and memory against the number of images")}
{table(("images", "list s", "fill s", "read s", "epoch s", "cache MB", "memory MB"), rows)}

{machine_line(result)}"""


def unknown(results: Results) -> str:
    """Return the section on what models recognize as images of none of their classes."""
    result = results.get("unknown") or {}
    used = [row for row in result.get("rows", ()) if row["familiarity"]["used"]]
    left_out = [row for row in result.get("rows", ()) if not row["familiarity"]["used"]]
    if not used:
        return ""
    kinds = ("other set", "drawn scenes", "scikit-image")
    rows = []
    for row in used:
        files = row.get("files") or {}
        name = f"{row['data']} {row['model']}, seed {row['seed']}"
        if not files:
            found = row["familiarity"]
            scenes = found["separation"]["drawn scenes"]
            fpr95 = {"other set": row["other_set"]["fpr95"], "drawn scenes": scenes["fpr95"]}
            measured = {"kept": found["kept"], "accuracy_of_kept": found["accuracy_of_kept"], "fpr95": fpr95}
            files = {"RUN": measured}
        rows += [
            (
                f"{name}: {file}",
                number(one["kept"], ".1%"),
                number(one["accuracy_of_kept"], ".1%"),
                *(number(one["fpr95"].get(kind), ".1%") for kind in kinds),
            )
            for file, one in files.items()
        ]
    head = ("model and file", "kept", "accuracy of kept", *(f"FPR95 {kind}" for kind in kinds))
    cost = result["cost"]
    more_kb = (cost["with_bytes"] - cost["without_bytes"]) / 1000
    without = "".join(
        f"\n\n{row['data']} {row['model']} has no familiarity: {row['familiarity']['reason']}." for row in left_out
    )
    return f"""## Images of none of the classes

*Kept* is the share of the test photographs that are familiar at `--keep 0.95`. *FPR95* is the share of images of none
of the classes that are as familiar as the 95% most familiar test photographs: the other data set, 200 drawn scenes, and
the photographs of scikit-image without its cat.

{table(head, rows)}{without}

The familiarity adds {more_kb:.0f} kB to `int8.tflite` of cats-dogs mobilenet_v2, and changes its time from
{cost["without_ms"]:.3f} to {cost["with_ms"]:.3f} ms, by {cost["ratio"] - 1:+.1%} (LiteRT, one thread, medians of 1,500
rounds in which both files run).

{machine_line(result)}"""
