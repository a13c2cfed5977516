"""What an export makes and what the files must reach."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from export.proof.compatibility import DEFAULT_FLOORS, Floor, parse_floor
from export.proof.gate import Tolerances
from export.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from export.artifacts import ArtifactName


@dataclass(frozen=True)
class Plan:
    """What to make and what it must reach.

    Attributes:
        names: the artifacts.
        tolerances: the gate's limits.
        settings: how the quantized files are made.
        floors: the oldest runtimes that the files must run in.
        jobs: how many processes convert at once; 0 converts in this process.
        ladder: whether a failing int8.tflite is replaced by a gentler form; else nothing is published.
        expendable: those of the names that are left out where they fail; else nothing is published.

    """

    names: Sequence[ArtifactName]
    tolerances: Tolerances = field(default_factory=Tolerances)
    settings: Settings = field(default_factory=Settings)
    floors: Sequence[Floor] = tuple(map(parse_floor, DEFAULT_FLOORS))
    jobs: int = 1
    ladder: bool = True
    expendable: Collection[ArtifactName] = ()
