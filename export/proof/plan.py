"""The artifacts of an export and the limits that they must meet."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from export.proof.gate import Tolerances
from export.runtimes.compatibility import DEFAULT_FLOORS, Floor, parse_floor
from export.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from export.artifacts import ArtifactName


@dataclass(frozen=True)
class Plan:
    """The artifacts and the limits that they must meet.

    Attributes:
        names: the artifacts.
        tolerances: the limits of the gate.
        settings: the settings of the quantized files.
        floors: the oldest runtimes that must support the files.
        jobs: number of processes that convert in parallel; 0 converts in this process.
        ladder: whether other forms are tried if int8.tflite fails; else nothing is published.
        expendable: the names that are left out if they fail; if another one fails, nothing is published.
        better_than: an older bundle; if the new one is worse beyond chance, nothing is published.

    """

    names: Sequence[ArtifactName]
    tolerances: Tolerances = field(default_factory=Tolerances)
    settings: Settings = field(default_factory=Settings)
    floors: Sequence[Floor] = tuple(map(parse_floor, DEFAULT_FLOORS))
    jobs: int = 1
    ladder: bool = True
    expendable: Collection[ArtifactName] = ()
    better_than: Path | None = None
