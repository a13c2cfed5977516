"""The sections about the runtime: latency, other programs, targets, start-up, a day of `watch`."""

from __future__ import annotations

from .markdown import Results, chart, machine_line, number, table, with_ratio


def frame(results: Results) -> str:
    runtime = results.get("runtime") or {}
    if "jpeg_1080p" not in runtime:
        return ""
    row = runtime["jpeg_1080p"]
    stages = {"decode": "decode", "resize": "resize", "invoke": "inference", "total": "total"}
    rows = [(name, number(row.get(f"{stage}_ms"), ".2f")) for stage, name in stages.items()]
    return f"""## Latency of a photograph by stage

A JPEG of 1920 x 1080 pixels, one thread. The stages are measured separately; the total is that of
`Classifier.classify`.

{chart("frame", "Latency of a 1080p JPEG by stage")}
{table(("stage", "ms"), rows)}

{machine_line(runtime)}"""


def mediapipe(results: Results) -> str:
    if not (rows := mediapipe_table(results)):
        return ""
    runtime = results["runtime"]
    folder, installed = runtime["photographs"], runtime["installed"]
    return f"""## Comparison with MediaPipe and a bare LiteRT loop

The programs run the same int8 file on the same photographs, alternately, with one thread each. *Cold start* is the time
from process start to exit for one photograph, and *memory* the peak of that process. *500x374* and *1080p* are the time
of one more photograph of that size in a running process. *Photographs/s* is measured on a folder of
{folder["photographs"]} photographs, for which Edgewise uses {folder["edge_run_workers"]} workers, one for each core.
The bare loop decodes, resizes and runs inference, and nothing else. Edgewise and the bare loop are installed as on a
device, with the `pi` extra only, MediaPipe in its own environment:
{", ".join(f"{name} {version}" for name, version in installed.items())}. Ratios are relative to the first row.

{chart("mediapipe", "Cold start and memory of Edgewise, a bare loop and MediaPipe")}
{rows}

{machine_line(runtime)}"""


def mediapipe_table(results: Results) -> str:
    runtime = results.get("runtime") or {}
    if not runtime:
        return ""
    cells = (
        ("cold_start", "ms", ".0f"),
        ("cold_start", "mb", ".0f"),
        ("warm", "500x374_ms", ".1f"),
        ("warm", "1080p_ms", ".1f"),
        ("photographs", "per_s", ".1f"),
    )

    def row(program: str) -> list[str]:
        return [
            with_ratio(
                runtime[part][f"{program}_{key}"],
                None if program == "edge_run" else runtime[part][f"edge_run_{key}"],
                form,
            )
            for part, key, form in cells
        ]

    agreement = {program: runtime["photographs"].get(f"agrees_with_{program}") for program in ("bare", "mediapipe")}
    rows = [
        ("Edgewise", *row("edge_run"), ""),
        ("bare LiteRT loop", *row("bare"), number(agreement["bare"], ".1%")),
        ("MediaPipe ImageClassifier", *row("mediapipe"), number(agreement["mediapipe"], ".1%")),
    ]
    return table(
        ("program", "cold start ms", "memory MB", "500x374 ms", "1080p ms", "photographs/s", "same class"), rows
    )


def mediapipe_summary(results: Results) -> str:
    if not (rows := mediapipe_table(results)):
        return ""
    machine, workers = results["runtime"]["machine"], results["runtime"]["photographs"]["edge_run_workers"]
    parallel = {1: "one photograph", 2: "two photographs"}.get(workers, f"{workers} photographs")
    return f"""{rows}

Measured on {machine["cpu"]} with {machine["cores"]} cores. In the folder of photographs (*photographs/s*), Edgewise
classifies {parallel} in parallel, the other programs one after the other."""


def other_runtimes(results: Results) -> str:
    result = results.get("other_runtimes") or {}
    if not result.get("peers"):
        return ""
    return f"""## Comparison with ONNX Runtime and Keras

*Cold start* is the time from process start to the first result, and *memory* the peak of that process; both are medians
of {result.get("rounds", "?")} starts. *One photograph* is the time of the same photograph in a running process.
*Photographs/s* is measured on a folder of {result.get("folder_photographs", "?")} photographs. Each program uses
{result.get("threads", "?")} threads. Ratios are relative to the first row. `benchmarks/other_runtimes.py` contains the
programs.

{chart("other_runtimes", "Cold start and memory of Edgewise, ONNX Runtime and Keras")}
{other_runtimes_table(results)}

{machine_line(result)}"""


def other_runtimes_table(results: Results) -> str:
    rows = (results.get("other_runtimes") or {}).get("peers") or []
    if not rows:
        return ""
    first = rows[0]

    def cell(row: Results, key: str, form: str) -> str:
        return with_ratio(row.get(key), None if row is first else first.get(key), form)

    return table(
        ("program", "cold start ms", "memory MB", "one photograph ms", "photographs/s", "same class"),
        [
            (
                row["name"],
                cell(row, "cold_ms", ".0f"),
                cell(row, "peak_mb", ".0f"),
                cell(row, "warm_ms", ".2f"),
                cell(row, "images_per_s", ".1f"),
                number(row.get("agreement"), ".1%"),
            )
            for row in rows
        ],
    )


def runtime_targets(results: Results) -> str:
    runtime = results.get("runtime") or {}
    rows = [
        (question, measured, runtime[name]["target"], "yes" if runtime[name]["met"] else "no")
        for name, (question, measured) in _targets(runtime).items()
    ]
    if not rows:
        return ""
    return f"""## Targets of the runtime

`benchmarks/runtime.py` compares the runtime with a bare loop on the same files, alternately. The bare loop decodes,
resizes and runs inference, and nothing else.

{table(("question", "measured", "target", "met"), rows)}

{machine_line(runtime)}"""


def _targets(runtime: Results) -> dict[str, tuple[str, str]]:
    """Return a question and its measured answer for each part of the result that has a target."""
    if not runtime:
        return {}
    watch, age, jpeg, folder = (runtime[part] for part in ("throughput", "freshness", "jpeg_1080p", "folder"))
    start, ratios = runtime["cold_start"], runtime["mediapipe_ratios"]
    return {
        "throughput": (
            "frames/s of `watch` relative to those of the bare interpreter",
            f"{watch['ratio']:.2f} ({watch['watch_per_s']:.1f} of {watch['bare_per_s']:.1f} frames/s)",
        ),
        "freshness": (
            "age of a result at 30 frames/s on one core, 99th percentile (bound: frame interval + processing time)",
            f"{age['age_p99_ms']:.1f} ms, bound {age['bound_ms']:.1f} ms",
        ),
        "jpeg_1080p": ("time of `classify` for a 1080p JPEG relative to the sum of its stages", f"{jpeg['ratio']:.2f}"),
        "folder": ("speed-up on a folder with two workers instead of one", f"{folder['ratio']:.2f}"),
        "cold_start": (
            "cold start relative to the bare loop, and extra memory",
            f"{start['ratio']:.2f}, {start['extra_mb']:.1f} MB",
        ),
        "mediapipe_ratios": (
            "advantage over MediaPipe, as a factor: cold start, memory, 500x374, 1080p, photographs/s",
            ", ".join(
                f"{ratios[part]:.2g}"
                for part in ("cold_start", "memory", "photograph_500x374", "photograph_1080p", "folder")
            ),
        ),
    }


def startup(results: Results) -> str:
    if not (summary := startup_summary(results)):
        return ""
    return f"""## Start-up on a device

{summary}

{machine_line(results["startup"])}"""


def startup_summary(results: Results) -> str:
    result = results.get("startup") or {}
    if not result:
        return ""
    seconds, memory_mb = result["seconds"], result["peak_resident_mb"]
    return f"""With only the `pi` extra installed, `edge-run classify` of one photograph takes
{seconds["median"]:.2f} s from process start to exit (median of {result["runs"]} runs, at most {seconds["max"]:.2f} s)
and {memory_mb:.0f} MB of memory."""


def soak(results: Results) -> str:
    result = results.get("soak") or {}
    if not result:
        return ""
    growth = result["growth"]
    events = ", ".join(f"{count} {kind}" for kind, count in result["events"].items())
    return f"""## Memory over a day of `watch`

{result["simulated_hours"]:.0f} hours of video with one frame per second, accelerated to
{result["seconds"] / 60:.0f} minutes, with one camera fault per hour. Events: {events}.

From the second to the last quarter of the day, memory grew by {growth["memory_mb"]:.2f} MB, the number of threads by
{growth["threads"]:.0f} and the number of open files by {growth["handles"]:.0f}.

{chart("soak", "Memory, threads and open files over a day")}
{machine_line(result)}"""
