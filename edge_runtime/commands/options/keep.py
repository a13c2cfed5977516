"""The options that keep frames for review."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.command_line.numbers import byte_size, fraction, per_minute

if TYPE_CHECKING:
    import argparse

    from edge_runtime.classify.classifier import Classifier
    from edge_runtime.collection.keeper import Keeper, Model
    from edge_runtime.image.preprocess import Roi
    from edge_runtime.live.records import Source

BUDGET, RATE, RANDOM_SHARE, FREE = "500MB", "10/min", 0.1, "200MB"


@dataclass(frozen=True)
class KeepOptions:
    """Which frames are kept for review, as the help describes it; keep_hard None keeps none."""

    keep_hard: Path | None
    keep_budget: int
    keep_rate: float
    keep_random: float
    keep_free: int


def add_keep_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of KeepOptions."""
    group = parser.add_argument_group(
        "frames for review",
        "Keep frames that are unfamiliar, close between two classes, or on which the decision changed, and a random "
        "sample of all frames, for edge-run review.",
    )
    group.add_argument("--keep-hard", type=Path, metavar="DIR", help="keep them in DIR/kept")
    group.add_argument(
        "--keep-budget",
        type=byte_size,
        default=byte_size(BUDGET),
        metavar="SIZE",
        help=f"size limit; the most alike and the oldest are deleted first (default: {BUDGET})",
    )
    group.add_argument(
        "--keep-rate",
        type=per_minute,
        default=per_minute(RATE),
        metavar="N/min",
        help=f"keep at most this many, on average (default: {RATE})",
    )
    group.add_argument(
        "--keep-random",
        type=fraction,
        default=RANDOM_SHARE,
        metavar="X",
        help=f"fraction of the budget and the rate for the random sample (default: {RANDOM_SHARE})",
    )
    add_free(group, "--keep-free")


def add_free(group: argparse._ActionsContainer, name: str) -> None:
    """Add an option for the space that must stay free."""
    group.add_argument(
        name,
        type=byte_size,
        default=byte_size(FREE),
        metavar="SIZE",
        help=f"write nothing if less than this is free on the disk (default: {FREE})",
    )


def keeper_from(options: KeepOptions, classifier: Classifier, source: Source, roi: Roi | None) -> Keeper | None:
    """Open what keeps the frames; None if none are kept. Raise CollectionError."""
    if options.keep_hard is None:
        return None
    from edge_runtime.collection.bursts import moment_of
    from edge_runtime.collection.keeper import Keeper, Limits

    return Keeper(
        options.keep_hard,
        model_of(classifier),
        Limits(options.keep_budget, options.keep_rate, options.keep_random, options.keep_free),
        roi=roi,
        moment=moment_of(source),
        waits=not source.live,
    )


def model_of(classifier: Classifier) -> Model:
    """Return what is recorded of the model with each kept frame."""
    from edge_runtime.collection.keeper import Model

    return Model(classifier.artifact.file.sha256, classifier.artifact.name, classifier.spec.min_familiarity)
