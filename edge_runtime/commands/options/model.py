"""The options that choose an artifact, the backend that runs it, and its threads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_runtime.backends.names import BACKEND_NAMES, BackendName
from edge_runtime.command_line.numbers import positive_int

if TYPE_CHECKING:
    import argparse

    from edge_runtime.classify.classifier import Classifier


@dataclass(frozen=True)
class ModelOptions:
    """Which form of a bundle's model runs, and how; None takes the default that the help names."""

    artifact: str | None
    backend: BackendName | None
    threads: int | None


def add_model_options(command: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Add the options of ModelOptions and return their group."""
    group = command.add_argument_group("how the model runs")
    group.add_argument("--artifact", metavar="NAME", help="such as int8.tflite (default: the bundle's)")
    group.add_argument("--backend", choices=BACKEND_NAMES, help="default: LiteRT before tflite-runtime for .tflite")
    group.add_argument("--threads", type=positive_int, metavar="N", help="default: one for each core, at most four")
    return group


def open_classifier(bundle: str, options: ModelOptions) -> Classifier:
    """Open a bundle as the options say. Raise as `Classifier.open` does."""
    from edge_runtime.classify.classifier import Classifier

    return Classifier.open(bundle, artifact=options.artifact, backend=options.backend, threads=options.threads)
