"""edge-run bench: measure every way to run a bundle on this device, and save the best."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_runtime.command_line.numbers import fraction, positive_float, positive_int
from edge_runtime.command_line.runner import FAILURE, SUCCESS, UsageError, set_action
from edge_runtime.command_line.steps import report_next

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SECONDS, MAX_SECONDS = 3.0, 3600
OPERATOR_SECONDS = 0.4  # for each of the small networks of --operators
LARGEST_LOSS = 0.01
HEAD = ("artifact", "backend", "threads", "cold", "decode", "resize", "p50", "p90", "p99", "images/s", "MB", "accuracy")


@dataclass(frozen=True)
class BenchOptions:
    """The options of `edge-run bench`, as its help describes them."""

    bundle: str | None
    operators: Path | None
    json: bool
    keep: bool
    submit: Path | None
    threads: list[int] | None
    seconds: float | None
    max_loss: float


def add_parser(commands: Any) -> None:  # noqa: ANN401 - argparse keeps its subparsers' type private
    """Add the subcommand."""
    command = commands.add_parser(
        "bench",
        help="measure every way to run a bundle on this device",
        description="Run every artifact in every installed backend that reads it, each in its own process. Report "
        "the cold start up to the first result, medians of decoding and resizing, and inference p50, p90, p99, in ms.",
        example="edge-run bench bundle --keep",
    )
    command.add_argument("bundle", metavar="BUNDLE", nargs="?", help="folder that edge-export wrote")
    command.add_argument(
        "--operators",
        type=Path,
        metavar="FILE",
        help="instead of a bundle, measure in some minutes what the operators of int8 networks cost, and write it to "
        "this file, from which edge-export latency predicts the time of other networks on this device",
    )
    command.add_argument(
        "--json", action="store_true", help="print one JSON object, with every percentile of every stage"
    )
    command.add_argument(
        "--keep", action="store_true", help="save the best way, so that classify, watch and serve use it"
    )
    command.add_argument(
        "--submit",
        type=Path,
        metavar="FILE",
        help="add a row to this file that can be published; it contains no name and no path",
    )
    command.add_argument("--threads", type=_counts, metavar="N,N", help="numbers of threads to try (default: 1,2,4)")
    command.add_argument(
        "--seconds",
        type=_seconds,
        metavar="S",
        help=f"time for each measurement (default: {SECONDS:g}; with --operators {OPERATOR_SECONDS:g})",
    )
    command.add_argument(
        "--max-loss",
        type=fraction,
        default=LARGEST_LOSS,
        metavar="X",
        help=f"largest loss of accuracy compared with the most accurate artifact (default: {LARGEST_LOSS})",
    )
    set_action(command, BenchOptions, bench)


def bench(options: BenchOptions) -> int:
    """Measure a bundle, or the operators of int8 networks; return 1 if all measurements failed."""
    if options.operators is None:
        return _bench_bundle(options)
    if options.bundle is not None or options.keep or options.submit:
        raise UsageError("--operators measures no bundle; it takes neither BUNDLE nor --keep nor --submit")
    from edge_runtime.commands.bench_operators import bench_operators

    return bench_operators(
        options.operators, options.threads, options.seconds or OPERATOR_SECONDS, as_json=options.json
    )


def _bench_bundle(options: BenchOptions) -> int:
    """Measure, print a table, and save or submit the result if asked to; return 1 if all measurements failed."""
    from edge_runtime.bench.measure import best, configurations, device, measure_all, thread_counts
    from edge_runtime.bench.submission import add_row, check_writable, make_row
    from edge_runtime.model.bundle import Bundle

    if options.bundle is None:
        raise UsageError("BUNDLE is needed, or --operators FILE")
    bundle = Bundle.open(options.bundle)
    bundle.check_files()
    if options.submit:
        check_writable(options.submit)
    wanted = configurations(bundle, options.threads or thread_counts())
    before = device()
    results = []
    for result in measure_all(bundle, wanted, options.seconds or SECONDS):
        results.append(result)
        outcome = result.get("error") or f"{result['inference_ms']['p50']:.2f} ms"
        print(f"edge-run: {len(results)}/{len(wanted)} {_configuration(result)}: {outcome}", file=sys.stderr)
    after, chosen = device(), best(results, options.max_loss)
    kept = _keep(bundle, chosen) if options.keep and chosen else None
    if options.submit:
        rows = add_row(options.submit, make_row(bundle, before, after, results))
        print(f"edge-run: {options.submit}: {rows} row{'s'[: rows > 1]}, ready to be published", file=sys.stderr)
    report = {"before": before, "after": after, "results": results, "best": chosen, "kept": kept}
    print(json.dumps(report) if options.json else _render(report))
    if chosen:
        following = ["watch", options.bundle, "--source", "0"] if kept else ["bench", options.bundle, "--keep"]
        report_next("edge-run", "", ["edge-run", *following])
    return SUCCESS if chosen else FAILURE


def _keep(bundle: Any, chosen: dict[str, Any]) -> str:  # noqa: ANN401 - a Bundle, whose module comes with the command
    from edge_runtime.classify.kept_choice import keep_choice, make_choice

    return str(keep_choice(bundle, make_choice(chosen["artifact"], chosen["backend"], chosen["threads"])))


def _render(report: dict[str, Any]) -> str:
    lines = [report["before"]["processor"], "", *_table(map(_row, report["results"])), ""]
    lines += [f"{when}: {_health(report[when])}" for when in ("before", "after")]
    if report["best"]:
        lines.append(f"best: {_configuration(report['best'])}, {report['best']['total_ms']['p50']:.1f} ms per image")
    else:
        lines.append("best: none, all measurements failed")
    if report["kept"]:
        lines.append(f"kept: {report['kept']}")
    return "\n".join(lines)


def _row(result: dict[str, Any]) -> list[str]:
    start = [result["artifact"], result["backend"], str(result["threads"])]
    if "error" in result:
        return [*start, "failed", *["-"] * (len(HEAD) - len(start) - 1)]
    accuracy = result["accuracy"]
    return [
        *start,
        f"{result['cold_start_ms']:.0f}",
        f"{result['decode_ms']['p50']:.2f}",
        f"{result['preprocess_ms']['p50']:.2f}",
        *(f"{value:.2f}" for value in result["inference_ms"].values()),
        f"{result['images_per_s']:.1f}",
        f"{result['peak_mb']:.0f}",
        "-" if accuracy is None else f"{accuracy:.2%}",
    ]


def _table(rows: Iterable[Sequence[str]]) -> list[str]:
    """Align columns: names to the left, numbers to the right."""
    table = [HEAD, *rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if index < 2 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    ]


def _health(device: dict[str, Any]) -> str:
    celsius, throttling = device["temperature_c"], device["throttling"]
    heat = "temperature unknown" if celsius is None else f"{celsius:.0f} °C"
    throttled = "throttling unknown" if throttling is None else ", ".join(throttling) or "not throttled"
    return f"{heat}, {throttled}, load {device['load']:.1f}"


def _configuration(result: dict[str, Any]) -> str:
    return f"{result['artifact']} on {result['backend']}, {result['threads']} thread{'s'[: result['threads'] > 1]}"


def _counts(text: str) -> list[int]:
    return [positive_int(part) for part in text.split(",")]


def _seconds(text: str) -> float:
    value = positive_float(text)
    if value > MAX_SECONDS:
        raise argparse.ArgumentTypeError(f"must be at most {MAX_SECONDS} seconds, not {text!r}")
    return value
