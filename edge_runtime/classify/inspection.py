"""Describe what a bundle contains, as JSON and as text."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from edge_runtime.errors import BackendUnavailable, BundleError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from edge_runtime.model.bundle import Artifact, Bundle, BundleFile

TIMED_RUNS = 20


def describe(bundle: Bundle, *, timed: bool = False) -> dict[str, Any]:
    """Describe a bundle and check every file's digest.

    Args:
        bundle: an opened bundle.
        timed: also run each artifact on a grey image on this device to measure its `inference_ms`.

    Returns:
        A JSON object. In an undamaged bundle each artifact's `damage` is None and the list `damaged` is empty.
        `inference_ms` is None if the artifact was not run, or no installed backend runs it.

    """
    artifacts = [_describe_artifact(bundle, artifact, timed=timed) for artifact in bundle.artifacts.values()]
    damaged = [item["damage"] for item in artifacts] + [_damage(bundle, file) for file in bundle.files.values()]
    return {
        "bundle": str(bundle.folder),
        "spec": bundle.spec.to_json(),
        "default": bundle.default,
        "artifacts": artifacts,
        "files": len(bundle.files),
        "damaged": [problem for problem in damaged if problem],
        "versions": dict(bundle.versions),
    }


def render(description: dict[str, Any]) -> str:
    """Format a description as text: the spec, a table of artifacts, the tools that made the bundle."""
    spec = description["spec"]
    crop = f" {spec['crop_fraction']}" if spec["resize"] == "crop" else ""
    versions = ", ".join(f"{name} {version}" for name, version in description["versions"].items())
    facts = [
        ("bundle", description["bundle"]),
        ("labels", f"{len(spec['labels'])}: {', '.join(spec['labels'])}"),
        ("input", f"{spec['width']}x{spec['height']} {spec['color']}, {spec['resize']}{crop}"),
        ("output", spec["output"]),
        ("default", description["default"]),
        ("files", f"{description['files']} other files, {_digest_summary(description['damaged'])}"),
        ("made by", versions or "unknown"),
    ]
    return "\n".join(
        [*(f"{name:8}  {value}" for name, value in facts), "", *_table(map(_row, description["artifacts"]))]
    )


def _describe_artifact(bundle: Bundle, artifact: Artifact, *, timed: bool) -> dict[str, Any]:
    damage = _damage(bundle, artifact.file)
    return {
        "name": artifact.name,
        "file": artifact.file.path,
        "size_bytes": artifact.file.size_bytes,
        "sha256": artifact.file.sha256,
        "damage": damage,
        "parity": dict(artifact.parity),
        "inference_ms": _inference_ms(bundle, artifact.name) if timed and not damage else None,
    }


def _damage(bundle: Bundle, file: BundleFile) -> str | None:
    try:
        bundle.checked_path(file)
    except BundleError as problem:
        return str(problem)
    return None


def _inference_ms(bundle: Bundle, artifact: str) -> float | None:
    """Return the median time of one inference in ms, or None if no runtime for the artifact is installed."""
    from statistics import median

    import numpy as np

    from edge_runtime.classify.classifier import Classifier

    try:
        backend = Classifier.open(bundle, artifact=artifact).backend
    except BackendUnavailable:
        return None
    pixels = np.full((1, bundle.spec.height, bundle.spec.width, 3), 128, np.uint8)
    backend.run(pixels)  # the first run allocates memory
    times_ms = []
    for _ in range(TIMED_RUNS):
        started = time.perf_counter()
        backend.run(pixels)
        times_ms.append((time.perf_counter() - started) * 1e3)
    return round(median(times_ms), 3)


def _row(artifact: dict[str, Any]) -> list[str]:
    parity, inference_ms = artifact["parity"], artifact["inference_ms"]
    return [
        artifact["name"],
        f"{artifact['size_bytes'] / 1024:,.0f} KiB",
        _percent(parity.get("accuracy")),
        _percent(parity.get("top1_agreement")),
        "-" if inference_ms is None else f"{inference_ms:.2f}",
        "damaged" if artifact["damage"] else "ok",
    ]


def _table(rows: Iterable[Sequence[str]]) -> list[str]:
    """Align columns: the first to the left, the others to the right."""
    table = [("artifact", "size", "accuracy", "agreement", "ms", "digest"), *rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in table
    ]


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.2%}"


def _digest_summary(damaged: Sequence[str]) -> str:
    return f"{len(damaged)} damaged" if damaged else "all digests valid"
