"""How far is the latency that edge-export latency predicts from the measured one?

    python benchmarks/latency_prediction.py [--rounds 12] [--threads 1,2] [--emulated cortex-a72]

Predicts and measures int8 networks of latency_candidates.py under LiteRT. Each round measures the small networks of
`edge-run bench --operators` and then the candidates, so that a disturbance affects both; the fastest invoke of all
rounds counts. Other programs must not run: with two threads, a long invoke is seldom undisturbed.

With --emulated, instructions on an emulated processor are predicted and counted instead. Nothing disturbs these, and
one round is enough. Writes results/latency_prediction.json; what was not measured anew stays.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import machine
from latency_candidates import CANDIDATES, write

from edge_runtime.backends.names import BackendName, choose_backend
from edge_runtime.bench.operators_worker import fastest_ms
from edge_runtime.latency.file_operators import file_operators
from edge_runtime.latency.model_file import model_file
from edge_runtime.latency.operator_times import OperatorTimes
from edge_runtime.latency.predict import predict_ms
from edge_runtime.latency.probes import probes
from edge_runtime.system.child import ask_child

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "latency_prediction.json"
FILES = ROOT / "build" / "bench" / "latency"
COUNT = ROOT / "tests" / "pi" / "emulated" / "network_costs.py"
PROBE_S, CANDIDATE_S = 0.04, 0.3  # in each round; a candidate takes longer than a small network
MILLION = 1e6


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--threads", default="1,2", metavar="N,N")
    parser.add_argument("--emulated", metavar="PROCESSOR", help="cortex-a53, cortex-a72 or cortex-a76")
    parser.add_argument("--candidates", type=Path, default=FILES, help="folder of the files, which are written once")
    parser.add_argument("--one-pass", type=int, metavar="THREADS", help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.candidates.mkdir(parents=True, exist_ok=True)
    if args.one_pass:
        print(json.dumps(_one_pass(args.candidates, args.one_pass)))
        return 0
    files = [write(candidate, args.candidates) for candidate in CANDIDATES]
    if args.emulated:
        measured = {f"emulated {args.emulated}": _compared(*_counted(args.emulated, files), files)}
    else:
        counts = [int(count) for count in args.threads.split(",")]
        times = _timed(counts, args.rounds, args.candidates)
        measured = {f"{count} thread{'s'[: count > 1]}": _compared(*times[count], files) for count in counts}
    _save(measured)
    for name, found in measured.items():
        print(f"{name}: median error {found['median_error']:.1%}, largest {found['largest_error']:.1%}")
    return 0


def _timed(counts: Sequence[int], rounds: int, folder: Path) -> dict[int, tuple[list[float], list[float]]]:
    """Return for each number of threads the fastest times of the small networks and of the candidates, in ms."""
    found: dict[int, list[list[float]]] = {count: [[], []] for count in counts}
    backend: BackendName = choose_backend("tflite")
    for number in range(rounds):
        for count in counts:
            words = (backend, str(count), str(PROBE_S))
            probed = ask_child("edge_runtime.bench.operators_worker", *words, timeout_s=600)["ms"]
            command = [sys.executable, __file__, "--one-pass", str(count), "--candidates", str(folder)]
            timed = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            for kept, new in zip(found[count], (probed, timed), strict=True):
                kept[:] = [min(pair) for pair in zip(kept, new, strict=True)] if kept else new
        print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
    return {count: (kept[0], kept[1]) for count, kept in found.items()}


def _one_pass(folder: Path, threads: int) -> list[float]:
    backend = choose_backend("tflite")
    files = [write(candidate, folder) for candidate in CANDIDATES]
    return [fastest_ms(path.read_bytes(), backend, threads, CANDIDATE_S) for path in files]


def _counted(processor: str, files: Sequence[Path]) -> tuple[list[float], list[float]]:
    """Return the millions of instructions of the small networks and of the candidates on an emulated processor."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for place, chain in enumerate(probes()):
            (folder / f"{place:04}.tflite").write_bytes(model_file(chain))
        small = _count(processor, folder)
    large = _count(processor, files[0].parent)
    return [small[name] for name in sorted(small)], [large[path.name] for path in files]


def _count(processor: str, folder: Path) -> dict[str, float]:
    done = subprocess.run([sys.executable, COUNT, processor, folder], check=True, stdout=subprocess.PIPE, text=True)
    return {name: count / MILLION for name, count in json.loads(done.stdout).items()}


def _compared(small: Sequence[float], large: Sequence[float], files: Sequence[Path]) -> dict[str, Any]:
    """Predict each candidate from the small networks, and compare the prediction with its measurement."""
    device = OperatorTimes("this machine", "litert", tuple(map(tuple, probes())), {1: tuple(small)})
    rows = []
    for candidate, path, measured in zip(CANDIDATES, files, large, strict=True):
        predicted = predict_ms(path.read_bytes(), device, 1, path.name)
        rows.append(
            {
                "name": candidate.name(),
                "operators": len(file_operators(path.read_bytes(), path.name)),
                "measured": round(measured, 4),
                "predicted": round(predicted, 4),
                "error": round(predicted / measured - 1, 4),
            }
        )
    errors = [abs(row["error"]) for row in rows]
    return {
        "median_error": median(errors),
        "largest_error": max(errors),
        "small_networks": len(small),
        "measured_on": datetime.now(UTC).date().isoformat(),
        "machine": machine.facts(),
        "candidates": rows,
    }


def _save(measured: Mapping[str, Any]) -> None:
    kept = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    RESULTS.write_text(json.dumps({**kept, **measured}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
