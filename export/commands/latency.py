"""edge-export latency: predict the time of an int8 file on a device."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_runtime.command_line.numbers import positive_int
from edge_runtime.command_line.runner import SUCCESS, set_action

if TYPE_CHECKING:
    from edge_runtime.latency.operator_times import OperatorTimes
    from edge_runtime.latency.predict import Latency

ARTIFACT = "int8.tflite"


@dataclass(frozen=True)
class LatencyOptions:
    """The options of `edge-export latency`, as its help describes them."""

    model: Path
    device: Path
    threads: int | None
    json: bool


def add_parser(commands: Any) -> None:  # noqa: ANN401 - argparse keeps its subparsers' type private
    """Add the subcommand."""
    parser = commands.add_parser(
        "latency",
        help="predict the time of an int8 file on a device",
        description="Predict the time of one inference from the times of operators that edge-run bench --operators "
        "measured on the device.",
        example="edge-export latency bundle --device my-pi.json",
    )
    parser.add_argument(
        "model", metavar="BUNDLE|TFLITE", type=Path, help=f"a bundle, whose {ARTIFACT} is used, or an int8 .tflite file"
    )
    parser.add_argument(
        "--device",
        metavar="JSON",
        type=Path,
        required=True,
        help="file that edge-run bench --operators wrote on the device",
    )
    parser.add_argument(
        "--threads", metavar="N", type=positive_int, help="number of threads (default: all that were measured)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON line for each number of threads")
    set_action(parser, LatencyOptions, latency)


def latency(options: LatencyOptions) -> int:
    """Predict and print the time with each number of threads."""
    from edge_runtime.latency.file_operators import file_operators
    from edge_runtime.latency.operator_times import read_operator_times
    from edge_runtime.latency.predict import fit, predict

    device = read_operator_times(options.device)
    where, content = _content(options.model)
    operators = file_operators(content, where)
    for threads in [options.threads] if options.threads else device.ms:
        model = fit(device, threads)
        predicted = predict(operators, model, where)
        if options.json:
            print(json.dumps({**_row(where, device, threads, predicted), "fit_error": round(model.error, 4)}))
        else:
            _print(where, device, threads, predicted)
    return SUCCESS


def _content(path: Path) -> tuple[str, bytes]:
    """Return the name and the content of a model file, or of a bundle's. Raise ExportError or BundleError."""
    from edge_runtime.model.bundle import Bundle
    from export.errors import ExportError

    if path.is_dir():
        bundle = Bundle.open(path)
        model = bundle.read_model(bundle.artifact(ARTIFACT))
        return model.where, model.content
    try:
        return str(path), path.read_bytes()
    except OSError as problem:
        raise ExportError(f"{path}: cannot be read: {problem.strerror}") from None


def _row(where: str, device: OperatorTimes, threads: int, predicted: Latency) -> dict[str, Any]:
    return {
        "path": where,
        "processor": device.processor,
        "backend": device.backend,
        "threads": threads,
        "predicted_ms": round(predicted.ms, 4),
        "operators_ms": {name: round(ms, 4) for name, ms in predicted.operators.items()},
        "estimated_ms": {name: round(ms, 4) for name, ms in predicted.estimated.items()},
    }


def _print(where: str, device: OperatorTimes, threads: int, predicted: Latency) -> None:
    shares = ", ".join(f"{name} {ms / predicted.ms:.0%}" for name, ms in list(predicted.operators.items())[:4])
    print(f"{where}: {predicted.ms:.2f} ms with {threads} thread{'s'[: threads > 1]} on {device.processor} ({shares})")
    if predicted.estimated:
        names = ", ".join(sorted(predicted.estimated))
        print(f"  of it {sum(predicted.estimated.values()):.2f} ms estimated, as not measured there: {names}")
