"""If int8 fails: quantize more carefully, keep the layers that lose most in float, then try other precisions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from export.convert.processes import Int8Form, convert
from export.errors import ExportError
from export.proof.layer_losses import layer_losses

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from export.artifacts import ArtifactName, Candidate
    from export.convert.tflite import Improvement
    from export.proof.layer_losses import LayerLoss
    from export.settings import Settings
    from export.sources.source_model import SourceModel

# How many of the worst tensors stay in float, with the layers that read them: each attempt costs a conversion.
KEPT = (1, 4)
# Measured on which models each of them helps: docs/parity.md.
IMPROVED: tuple[tuple[Improvement, ...], ...] = (
    ("corrected biases",),
    ("narrow ranges", "corrected biases"),
    ("equalized", "corrected biases"),
)
GENTLER: tuple[ArtifactName, ...] = ("int16x8.tflite", "dynamic.tflite", "float16.tflite")


@dataclass(frozen=True)
class Attempt:
    """One attempt to find a form that passes.

    Attributes:
        form: a description of the attempt.
        artifact: its name in a bundle.
        size_bytes: the file's size; None, like the next two, if no converter writes the file.
        latency_ms: median time of one image.
        accuracy: on the held-out images.
        failures: the checks that it failed; empty if it passed.

    """

    form: str
    artifact: str
    size_bytes: int | None
    latency_ms: float | None
    accuracy: float | None
    failures: tuple[str, ...]


def refused(form: str, artifact: str, reason: object) -> Attempt:
    """Return the attempt of a form that no converter writes."""
    return Attempt(form, artifact, None, None, None, (f"{artifact}: {reason}",))


def find_layers(source: SourceModel, folder: Path, settings: Settings, *, jobs: int) -> list[LayerLoss]:
    """Compute the loss of each layer in int8.

    `folder` contains model.int8.tflite, and float32's file for the comparison.
    """
    float_file = folder / "model.float32.tflite"
    made_for_this = not float_file.exists()
    if made_for_this:
        convert(source, ["float32.tflite"], folder, settings, jobs=jobs)
    losses = layer_losses(float_file, folder / "model.int8.tflite", source.calibration)
    if made_for_this:
        float_file.unlink()
    return losses


def fallbacks(
    source: SourceModel,
    folder: Path,
    settings: Settings,
    losses: Sequence[LayerLoss],
    have: Sequence[str],
    *,
    jobs: int,
    progress: Callable[[str], None],
) -> Iterator[tuple[str, Candidate] | Attempt]:
    """Write one form after the other, as long as the caller asks for more.

    Args:
        source: the model.
        folder: the destination; a new int8.tflite replaces the failed one.
        settings: the settings of the quantized files.
        losses: from `find_layers`, the worst first.
        have: names of artifacts that were written already, whether they passed or not.
        jobs: as `convert` takes it.
        progress: called with each line of progress.

    Yields:
        The description of a form and its file; or the attempt, if no converter writes it.

    """
    for form, name, how in _forms(losses, have):
        progress(f"trying {form}")
        try:
            (candidate,) = convert(source, [name], folder, settings, jobs=jobs, form=how, progress=progress).candidates
        except ExportError as problem:
            progress(f"{form}: {problem}")
            yield refused(form, name, problem)
        else:
            yield form, candidate


def _forms(losses: Sequence[LayerLoss], have: Sequence[str]) -> Iterator[tuple[str, ArtifactName, Int8Form]]:
    """Yield each form, its artifact and how it is quantized: first what costs no speed on the device."""
    for improvements in IMPROVED:
        yield f"int8, {', '.join(improvements)}", "int8.tflite", Int8Form(improvements=improvements)
    for count in KEPT:
        if worst := losses[:count]:
            form = f"int8, in float: {', '.join(item.layer for item in worst)}"
            tensors = sorted({name for item in worst for name in (item.tensor, *item.readers)})
            yield form, "int8.tflite", Int8Form(tuple(tensors), ("corrected biases",))
    for name in GENTLER:
        if name not in have:
            yield name, name, Int8Form()
