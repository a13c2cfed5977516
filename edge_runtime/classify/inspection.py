"""Describe what a bundle contains, as JSON and as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_runtime.backends.names import BACKENDS_BY_FORMAT, installed
from edge_runtime.errors import BundleError, InferenceError
from edge_runtime.system.child import ask_child

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from edge_runtime.model.bundle import Bundle
    from edge_runtime.model.manifest import Artifact, BundleFile

TIMEOUT_S = 120.0  # a large model takes long to load on a small device


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
    damaged += _unlisted(bundle)
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
    damage, inference_ms = _damage(bundle, artifact.file), None
    if timed and not damage:
        inference_ms, damage = _measure(bundle, artifact)
    return {
        "name": artifact.name,
        "file": artifact.file.path,
        "size_bytes": artifact.file.size_bytes,
        "sha256": artifact.file.sha256,
        "damage": damage,
        "parity": dict(artifact.parity),
        "inference_ms": inference_ms,
    }


def _measure(bundle: Bundle, artifact: Artifact) -> tuple[float | None, str | None]:
    """Return the median time of one inference in ms, and what is wrong with the file; both may be None."""
    if not installed(BACKENDS_BY_FORMAT[artifact.format]):
        return None, None
    where = str(bundle.folder / artifact.file.path)
    words = (str(bundle.folder), artifact.name)
    try:
        answer = ask_child("edge_runtime.classify.inference_time", *words, timeout_s=TIMEOUT_S)
    except OSError:  # no child can be started; see `ask_child`
        from edge_runtime.classify.inference_time import inference_ms

        return inference_ms(*words), None
    except InferenceError as problem:
        return None, f"{where}: {problem}; export the model again"
    return answer.get("inference_ms"), answer.get("error")


def _damage(bundle: Bundle, file: BundleFile) -> str | None:
    try:
        bundle.check_file(file)
    except BundleError as problem:
        return str(problem)
    return None


def _unlisted(bundle: Bundle) -> list[str]:
    return [f"{bundle.folder / path}: not in the manifest; remove the file" for path in bundle.unlisted_files()]


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
