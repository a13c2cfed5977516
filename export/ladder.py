"""When int8 fails: find the layers that it hurts, keep those in float, and go on to gentler precisions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from export.conversion import convert
from export.errors import ExportError
from export.layers import layer_losses

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from export.artifacts import ArtifactName, Candidate
    from export.layers import LayerLoss
    from export.settings import Settings
    from export.source_model import SourceModel

# How many of the worst tensors stay in float, with the layers that read them: each try costs a conversion.
KEPT = (1, 4)
GENTLER: tuple[ArtifactName, ...] = ("int16x8.tflite", "dynamic.tflite", "float16.tflite")


@dataclass(frozen=True)
class Rung:
    """One try to find a form that passes.

    Attributes:
        form: what was tried, for a person.
        artifact: its name in a bundle.
        size_bytes: the file's size.
        latency_ms: median time of one image; None where it was not measured.
        accuracy: on the held-out images; None where it was not measured.
        failures: what it failed; empty when it passed.

    """

    form: str
    artifact: str
    size_bytes: int
    latency_ms: float | None
    accuracy: float | None
    failures: tuple[str, ...]


def find_layers(source: SourceModel, folder: Path, settings: Settings, *, jobs: int) -> list[LayerLoss]:
    """Say what int8 destroys in each layer; `folder` holds model.int8.tflite, and float32's file for the comparison."""
    float_file = folder / "model.float32.tflite"
    made_for_this = not float_file.exists()
    if made_for_this:
        convert(source, ["float32.tflite"], folder, settings, jobs=jobs)
    losses = layer_losses(float_file, folder / "model.int8.tflite", source.calibration)
    if made_for_this:
        float_file.unlink()
    return losses


def rungs(
    source: SourceModel,
    folder: Path,
    settings: Settings,
    losses: Sequence[LayerLoss],
    have: Sequence[str],
    *,
    jobs: int,
    tell: Callable[[str], None],
) -> Iterator[tuple[str, Candidate]]:
    """Write one gentler form after the other, as long as the caller asks for more.

    Args:
        source: the model.
        folder: where the files go; a new int8.tflite replaces the failed one.
        settings: how the quantized files are made.
        losses: from `find_layers`, the worst first.
        have: names of artifacts that were made already, whatever came of them.
        jobs: as `convert` takes it.
        tell: takes a line of progress.

    Yields:
        What the form is, for a person, and its file.

    """
    for count in KEPT:
        worst = losses[:count]
        if not worst:
            break
        form = f"int8, in float: {', '.join(item.layer for item in worst)}"
        tell(f"trying {form}")
        keep = sorted({name for item in worst for name in (item.tensor, *item.readers)})
        try:
            (candidate,) = convert(source, ["int8.tflite"], folder, settings, jobs=jobs, keep_float=keep)
        except ExportError as problem:  # the converter's own debugger may refuse what its converter takes
            tell(f"{form}: {problem}")
            continue
        yield form, candidate
    for name in GENTLER:
        if name not in have:
            tell(f"trying {name}")
            (candidate,) = convert(source, [name], folder, settings, jobs=jobs)
            yield name, candidate
