"""Train and export a candidate with the project's own commands, each in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from edge_runtime.latency.predict import predict_ms
from trainer.errors import TrainingError
from trainer.options import BACKBONE_RECIPES
from trainer.progress import log
from trainer.search.candidates import Trial

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edge_runtime.latency.operator_times import OperatorTimes
    from trainer.search.candidates import Candidate

ARTIFACT = "int8.tflite"


def try_candidate(
    candidate: Candidate,
    data: Sequence[Path],
    folder: Path,
    *,
    weights: str,
    training: Sequence[str],
    device: OperatorTimes | None = None,
) -> Trial:
    """Train a candidate into folder/run and export it to folder/bundle.

    Args:
        candidate: the network.
        data: the data folders.
        folder: the candidate's folder.
        weights: of a backbone; ignored for a network that is trained from scratch.
        training: further words for `edge-train train`, the same for all candidates.
        device: predicts the time of the file; None takes the time that the export measured on this machine.

    Raises:
        TrainingError: the training fails.

    """
    started_s = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    run, bundle = folder / "run", folder / "bundle"
    words: list[object] = ["--model", candidate.model, "--image-size", candidate.image_size, "--out", run]
    words += ["--weights", weights] if candidate.model in BACKBONE_RECIPES else []
    words += ["--cut", candidate.cut] if candidate.cut else []
    log(f"{candidate.name}: training")
    trained = _run("trainer.cli", "train", *data, *words, "--overwrite", *training)
    if trained.returncode:
        raise TrainingError(f"{candidate.name}: {_last_line(trained)}")
    log(f"{candidate.name}: exporting {ARTIFACT}")
    exported = _run("export.cli", "export", run, "--out", bundle, "--overwrite", "--formats", ARTIFACT, "--no-ladder")
    metrics = _read(run / "metrics.json")
    problem = _last_line(exported) if exported.returncode else ""
    kb, ms, agreement = (None, None, None) if problem else _measured(_read(bundle / "report.json"))
    if device and not problem:
        content = (bundle / f"model.{ARTIFACT}").read_bytes()
        ms = round(predict_ms(content, device, where=f"{candidate.name}: {ARTIFACT}"), 3)
    return Trial(
        candidate.name,
        metrics["test"]["accuracy"],
        tuple(metrics["test"]["interval"]),
        metrics["phases"][-1]["best"]["val_accuracy"],
        kb,
        ms,
        agreement,
        round(time.monotonic() - started_s, 1),
        problem,
    )


def _measured(report: Any) -> tuple[float, float, float]:  # noqa: ANN401 - a JSON object
    (artifact,) = report["artifacts"]
    return artifact["size_bytes"] / 1000, artifact["latency_ms"], artifact["parity"]["top1_agreement"]


def _run(module: str, *words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", module, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    lines = done.stderr.strip().splitlines()
    return lines[-1] if lines else f"ended with exit code {done.returncode}"


def _read(path: Path) -> Any:  # noqa: ANN401 - a JSON value
    return json.loads(path.read_text(encoding="utf-8"))
