"""Prove on this device that a release does what its publisher measured, before anything depends on it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

from edge_runtime.classify.classifier import runnable_artifact
from edge_runtime.errors import BackendUnavailable, BundleError, InferenceError, SpecError
from edge_runtime.model.bundle import Bundle
from edge_runtime.selftest.isolated import selftest_in_child
from edge_runtime.system.child import ask_child

if TYPE_CHECKING:
    from pathlib import Path

    from edge_runtime.update.release import Release

TIMEOUT_S = 600.0
MAX_SLOWDOWN = 1.5  # of the current model's inference time, both measured now
SLACK_MS = 1.0  # a shorter difference is noise while the live loop runs
MAX_GROWTH = 1.5  # of the current model's peak memory


@dataclass(frozen=True)
class Limits:
    """What a release may cost on this device; None compares with the current model.

    Attributes:
        max_ms: the longest median inference time in milliseconds.
        max_bytes: the largest peak memory of a process that runs the model.

    """

    max_ms: float | None = None
    max_bytes: int | None = None


@dataclass(frozen=True)
class Cost:
    """What a model costs on this device.

    Attributes:
        inference_ms: median time of one inference in milliseconds.
        peak_bytes: peak memory of a process that runs it.

    """

    inference_ms: float
    peak_bytes: int


class Refused(Exception):  # noqa: N818 - a decision about a release, not an error of the user
    """The release does not prove itself on this device; the message says why, in one line."""


def prove(folder: Path, release: Release, limits: Limits, current: Path | None) -> Cost:
    """Check a fetched bundle on this device and return what it costs.

    Args:
        folder: the fetched bundle.
        release: what its publisher states.
        limits: what it may cost.
        current: the current bundle, or None.

    Raises:
        Refused: a check failed.

    """
    try:
        _check_content(folder, release)
        artifact = runnable_artifact(Bundle.open(folder), None).name
        result = selftest_in_child(folder)
    except (BundleError, SpecError, BackendUnavailable, InferenceError) as problem:
        raise Refused(str(problem)) from None
    if result.difference:
        raise Refused(f"selftest: {result.difference.message}")
    return _check_cost(folder, artifact, limits, current)


def _check_content(folder: Path, release: Release) -> None:
    facts = release.facts
    installed = version("edgewise")
    if _numbers(installed) < _numbers(facts.min_edgewise):
        raise Refused(f"it needs edgewise {facts.min_edgewise}; {installed} is installed")
    bundle = Bundle.open(folder)
    bundle.check_files()
    if bundle.sha256 != facts.bundle or bundle.spec.labels != facts.labels:
        raise Refused("its manifest is not the one that was released")


def _check_cost(folder: Path, artifact: str, limits: Limits, current: Path | None) -> Cost:
    cost = _cost(folder, artifact)
    max_ms, max_bytes = limits.max_ms, limits.max_bytes
    if current and (max_ms is None or max_bytes is None):
        base = _cost(current, runnable_artifact(Bundle.open(current), None).name)
        max_ms = base.inference_ms * MAX_SLOWDOWN + SLACK_MS if max_ms is None else max_ms
        max_bytes = round(base.peak_bytes * MAX_GROWTH) if max_bytes is None else max_bytes
    if max_ms is not None and cost.inference_ms > max_ms:
        cost = _cost(folder, artifact)  # once more: another process may have been busy
    if max_ms is not None and cost.inference_ms > max_ms:
        raise Refused(f"one inference takes {cost.inference_ms:.2f} ms; the limit is {max_ms:.2f} ms")
    if max_bytes is not None and cost.peak_bytes > max_bytes:
        raise Refused(f"it needs {cost.peak_bytes / 1e6:.1f} MB of memory; the limit is {max_bytes / 1e6:.1f} MB")
    return cost


def _cost(folder: Path, artifact: str) -> Cost:
    """Measure a model in a child process, whose memory is only the model's. Raise Refused if it fails."""
    try:
        answer = ask_child("edge_runtime.classify.inference_time", str(folder), artifact, timeout_s=TIMEOUT_S)
    except (InferenceError, OSError) as problem:
        raise Refused(f"{artifact}: {problem}") from None
    if "error" in answer:
        raise Refused(str(answer["error"]))
    return Cost(answer["inference_ms"], answer["peak_bytes"])


def _numbers(text: str) -> tuple[int, ...]:
    """Return the leading numbers of a version, such as (1, 2, 0)."""
    return tuple(int(part) for part in text.split(".")[:3] if part.isdigit())
