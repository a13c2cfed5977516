"""The benchmark page's sections: each gives Markdown from the results, or nothing where its result is not there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Results = dict[str, Any]
MB = 1e6


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Give a Markdown table, its first column to the left, the others to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def number(value: float | None, form: str, unit: str = "") -> str:
    return "-" if value is None else f"{value:{form}}{unit}"


def machine_line(result: Results) -> str:
    """Say on what a result was measured."""
    facts = result.get("machine") or {}
    if not facts:
        return ""
    libraries = [f"{name} {found}" for name, found in (facts.get("libraries") or {}).items() if found]
    parts = [
        str(facts.get("cpu", "unknown processor")),
        f"{facts.get('cores', '?')} cores",
        f"governor {facts.get('governor') or 'unknown'}",
        f"load {facts['load_average_1_min']}" if "load_average_1_min" in facts else "",
        f"Python {facts.get('python', '?')}",
        ", ".join(libraries),
    ]
    return f"*{'; '.join(part for part in parts if part)}.*\n"


def chart(name: str, told: str) -> str:
    return f"![{told}](../benchmarks/results/{name}.png)\n"


def accuracy_table(results: Results) -> str:
    rows = (results.get("accuracy") or {}).get("summary") or []
    return rows and table(
        ("data", "model", "options", "accuracy", "lowest to highest", "seeds", "parameters", "minutes"),
        [
            (
                row["data"],
                f"`{row['model']}`",
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


def accuracy(results: Results) -> str:
    rows = accuracy_table(results)
    if not rows:
        return ""
    every = results["accuracy"].get("rows") or [{}]
    return f"""## How accurate

Of photographs that training never saw. A seed changes the split too, so the spread holds the chance of which
photographs were held out. `benchmarks/accuracy.py` trains each row with the model's defaults and the options named.

{rows}

{machine_line(every[0])}"""


def exports(results: Results) -> str:
    runs = (results.get("export") or {}).get("runs") or []
    if not runs:
        return ""
    parts = [
        """## What each exported file keeps

Every file was written, opened again and run on the held-out photographs. *Agreement* is the share with the trained
model's class. The time is that of one image in the file's runtime, one thread, without decoding and resizing.
"""
    ]
    if sum(len(run["artifacts"]) for run in runs) > 1:
        parts.append(chart("artifacts", "Accuracy against latency and size, for every model and file"))
    for run in runs:
        rows = [
            (
                f"`{item['artifact']}`" + (" (default)" if item["artifact"] == run.get("default") else ""),
                number(item["size_bytes"] / MB, ".2f"),
                number(item["accuracy"], ".1%"),
                number(item["top1_agreement"], ".1%"),
                item.get("flips", "-"),
                number(item["latency_ms"], ".2f"),
            )
            for item in run["artifacts"]
        ]
        if not rows:
            parts.append(f"**{run['run']}**: {run.get('refused', 'nothing was exported')}")
            continue
        images = run["artifacts"][0].get("images", "?")
        jobs = f" in {run['jobs']} processes" if run.get("jobs") else ""
        parts.append(
            f"**{run['run']}**, {images} held-out photographs; the whole export took"
            f" {number(run.get('export_s'), '.0f')} s{jobs}.\n\n"
            + table(("file", "MB", "accuracy", "agreement", "changed", "ms"), rows)
            + f"\n\n{machine_line(run)}"
        )
    return "\n".join(parts)


def rescaling(results: Results) -> str:
    result = results.get("rescaling") or {}
    rows = [
        (
            name,
            number(result[name]["convolution_ms"], ".3f"),
            number(result[name]["rescaled_convolution_ms"], ".3f"),
            number(result[name]["cost_ms"], ".3f"),
            number(result[name]["whole_file_ms"], ".1f"),
            number(result[name]["share"], ".1%"),
        )
        for name in ("litert", "tflite-runtime")
        if name in result
    ]
    if not rows:
        return ""
    head = ("runtime", "first convolution, ms", "rescaled before it", "cost", "the whole int8 file", "share")
    return f"""## What it costs that a file takes pixels

An int8 file takes pixels 0..255 as they are and scales them to -1..1 itself, in two operations before the first
convolution: MobileNetV2's at {result["side"]} x {result["side"]}, one thread.

{table(head, rows)}

{machine_line(result)}"""


def frame(results: Results) -> str:
    runtime = results.get("runtime") or {}
    if "jpeg_1080p" not in runtime:
        return ""
    row = runtime["jpeg_1080p"]
    rows = [(stage, number(row.get(f"{stage}_ms"), ".2f")) for stage in ("decode", "resize", "invoke", "whole")]
    return f"""## Where the time of a frame goes

A photograph of 1920 x 1080 as JPEG, one thread, each part apart, and the whole as `Classifier.classify` does it.

{chart("frame", "Where the time of a frame goes")}
{table(("part", "ms"), rows)}

{machine_line(runtime)}"""


WAYS = {
    "article": "ImageDataGenerator, TensorFlow with its default settings",
    "ours": "`edge-train`",
    "floor": "one batch from memory over and over: the least possible",
    "floor_default": "the same, TensorFlow as it comes",
}


def training(results: Results) -> str:
    result = results.get("training") or {}
    parts = []
    if epoch := result.get("epoch"):
        rows = [(told, number(epoch["median_s"].get(way), ".1f")) for way, told in WAYS.items()]
        parts.append(f"""One epoch of the baseline CNN on {epoch["images"]} photographs at {epoch["side"]}
pixels, in turns, each in its own process. `edge-train` takes {epoch["ours_over_floor"]:.2f} of the least possible, and
with ImageDataGenerator it takes {epoch["article_over_ours"]:.1f} times as long as `edge-train`.

{chart("training", "Seconds for an epoch, ImageDataGenerator and edge-train")}
{table(("way", "s"), rows)}

{machine_line(epoch)}""")
    if whole := result.get("mobilenet"):
        rows = [
            (f"{name} cache", number(whole[name]["seconds"], ".0f"), number(whole[name]["test_accuracy"], ".1%"))
            for name in ("cold", "warm")
            if name in whole
        ]
        parts.append(f"""From the command to a finished MobileNetV2, data reading and evaluation included:

{table(("", "s", "test accuracy"), rows)}

{machine_line(whole)}""")
    if again := result.get("restart"):
        parts.append(
            f"From TensorFlow's import to the end of the first step: {again['first_run_s']:.1f} s in the first run on a"
            f" data folder, {again['second_run_s']:.1f} s in the second, which finds the pixels in the cache.\n"
        )
    return "\n".join(["## How long training takes\n", *parts]) if parts else ""


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
    return f"""## Does it grow with the data

Drawn shapes, prepared to {result.get("side", "?")} pixels: listing the files, filling the cache, reading it again, one
epoch of the baseline CNN, the size of the cache and the process's memory at most.

{chart("dataset_scale", "Time and memory over the number of photographs")}
{table(("photographs", "list s", "fill s", "read s", "epoch s", "cache MB", "memory MB"), rows)}

{machine_line(result)}"""


def beside_a_bare_loop(results: Results) -> str:
    runtime = results.get("runtime") or {}
    rows = [
        (
            name.replace("_", " "),
            ", ".join(
                f"{key.replace('_', ' ')} {value:.4g}"
                for key, value in row.items()
                if isinstance(value, (int, float)) and not isinstance(value, bool)
            ),
            row.get("wanted", ""),
            "yes" if row.get("met") else "no",
        )
        for name, row in runtime.items()
        if isinstance(row, dict) and "met" in row
    ]
    if not rows:
        return ""
    return f"""## What the runtime costs beside a bare loop

`benchmarks/runtime.py` runs both on the same files, in turns. *Bare* is a script of a few lines that does nothing but
decode, resize and invoke.

{table(("question", "measured", "wanted", "met"), rows)}

{machine_line(runtime)}"""


def mediapipe(results: Results) -> str:
    if not (rows := mediapipe_table(results)):
        return ""
    runtime = results["runtime"]
    folder, installed = runtime["photographs"], runtime["installed"]
    return f"""## Beside MediaPipe and a bare LiteRT loop

The same int8 file and the same photographs, in turns, one thread each: one photograph from the start of the process to
its exit, the memory that it takes at most, one more photograph in a running process, of 500 x 374 and of 1920 x 1080
pixels, and a folder of {folder["photographs"]}, for which Edgewise takes all {folder["edge_run_workers"]} cores.
Edgewise and the loop run in an environment with the `pi` extra alone, as on a device, MediaPipe in one of its own:
{", ".join(f"{name} {version}" for name, version in installed.items())}. Ratios are to the first row.

{chart("mediapipe", "Cold start and memory beside MediaPipe")}
{rows}

{machine_line(runtime)}"""


def mediapipe_table(results: Results) -> str:
    runtime = results.get("runtime") or {}
    if not runtime:
        return ""
    cold, once_more, folder = runtime["cold_start"], runtime["warm"], runtime["photographs"]

    def beside(row: Results, key: str, who: str, form: str) -> str:
        value, ours = row[f"{who}_{key}"], row[f"edge_run_{key}"]
        return f"{value:{form}}" + ("" if who == "edge_run" else f" (x{value / ours:.2g})")

    rows = [
        (
            told,
            beside(cold, "ms", who, ".0f"),
            beside(cold, "mb", who, ".0f"),
            beside(once_more, "500x374_ms", who, ".1f"),
            beside(once_more, "1080p_ms", who, ".1f"),
            beside(folder, "per_s", who, ".1f"),
            "" if who == "edge_run" else number(folder.get(f"agrees_with_{who}"), ".1%"),
        )
        for who, told in (
            ("edge_run", "Edgewise"),
            ("bare", "bare LiteRT loop"),
            ("mediapipe", "MediaPipe ImageClassifier"),
        )
    ]
    columns = ("program", "cold start ms", "memory MB", "500x374 ms", "1080p ms", "photographs/s", "same answer")
    return table(columns, rows)


def mediapipe_in_short(results: Results) -> str:
    if not (rows := mediapipe_table(results)):
        return ""
    machine, folder = results["runtime"]["machine"], results["runtime"]["photographs"]
    return f"""{rows}

On {machine["cpu"]} with {machine["cores"]} cores. Of a folder's photographs Edgewise has
{folder["edge_run_workers"]} in work at a time, the others have one."""


def other_runtimes(results: Results) -> str:
    result = results.get("other_runtimes") or {}
    if not result.get("peers"):
        return ""
    return f"""## Beside what else one would write

One photograph from the start of the process to the first answer, the memory that it takes at most, the same photograph
again and again, and a folder of {result.get("folder_photographs", "?")}. {result.get("threads", "?")} threads each; the
median of {result.get("rounds", "?")} starts. Ratios are to the first row. `benchmarks/other_runtimes.py` holds every
program.

{chart("other_runtimes", "Cold start and memory beside others")}
{other_runtimes_table(results)}

{machine_line(result)}"""


def other_runtimes_table(results: Results) -> str:
    rows = (results.get("other_runtimes") or {}).get("peers") or []
    if not rows:
        return ""
    first = rows[0]

    def beside(row: Results, key: str, form: str) -> str:
        if row.get(key) is None:
            return "-"
        ratio = "" if row is first else f" (x{row[key] / first[key]:.2g})"
        return f"{row[key]:{form}}{ratio}"

    return table(
        ("program", "cold start ms", "memory MB", "one photograph ms", "photographs/s", "same answer"),
        [
            (
                row["name"],
                beside(row, "cold_ms", ".0f"),
                beside(row, "peak_mb", ".0f"),
                beside(row, "warm_ms", ".2f"),
                beside(row, "images_per_s", ".1f"),
                number(row.get("agreement"), ".1%"),
            )
            for row in rows
        ],
    )


def startup(results: Results) -> str:
    if not (told := startup_told(results)):
        return ""
    return f"""## A device's environment alone

{told}

{machine_line(results["startup"])}"""


def startup_told(results: Results) -> str:
    result = results.get("startup") or {}
    if not result:
        return ""
    seconds, memory_mb = result["seconds"], result["peak_resident_mb"]
    return f"""With the `pi` extra and nothing else installed, `edge-run classify` of one photograph took
{seconds["median"]:.2f} s from process start to exit (median of {result["runs"]}, at most {seconds["max"]:.2f} s)
and {memory_mb:.0f} MB."""


def soak(results: Results) -> str:
    result = results.get("soak") or {}
    if not result:
        return ""
    grown = result["growth"]
    events = ", ".join(f"{count} {kind}" for kind, count in result["events"].items())
    return f"""## A day of watching

{result["simulated_hours"]:.0f} hours of one frame a second, sped up to {result["seconds"] / 60:.0f} minutes, with a
fault of the camera every hour: {events}.

Between the second quarter and the last, memory grew by {grown["memory_mb"]:.2f} MB, threads by {grown["threads"]:.0f},
open files by {grown["handles"]:.0f}.

{chart("soak", "Memory, threads and open files over a day")}
{machine_line(result)}"""


SECTIONS: tuple[Callable[[Results], str], ...] = (
    accuracy,
    exports,
    rescaling,
    frame,
    mediapipe,
    other_runtimes,
    beside_a_bare_loop,
    startup,
    training,
    dataset_scale,
    soak,
)
README_TABLES: dict[str, Callable[[Results], str]] = {
    "accuracy": accuracy_table,
    "other_runtimes": other_runtimes_table,
    "mediapipe": mediapipe_in_short,
    "startup": startup_told,
}
