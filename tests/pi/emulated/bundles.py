"""Train and export the bundles that the devices run, on the host, with the project's commands.

The models classify colours: the tests compare two machines, so the models need not be accurate.
"""

from __future__ import annotations

import sys
from pathlib import Path

from emulated.cache import cached, digest
from emulated.commands import run
from emulated.photographs import write_training_set

PACKAGES = ("edge_runtime", "trainer", "export")
PHOTOGRAPHS = Path(__file__).with_name("photographs.py")
BACKBONE = Path(__file__).with_name("backbone.py")
# The test sets are small and the models need not be accurate; the tests of the export check its strict limits.
LENIENT = ("--min-agreement", "0.1", "--max-accuracy-loss", "1", "--max-recall-loss", "1", "--no-ladder")
GOLDEN = 3  # images that `edge-run selftest` replays; each takes a second for MobileNetV2 on an emulated processor
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "2"}


def cnn_bundle(project: Path) -> Path:
    """Return a bundle of the small CNN at 64x64 pixels, with every TFLite artifact."""
    # None of the photographs that the tests classify is meant to be unknown.
    training = ["--image-size", "64", "--epochs", "8", "--keep", "0.999"]
    return _bundle(project, "cnn", training, size=64, count=40, formats="tflite")


def mobilenet_bundle(project: Path) -> Path:
    """Return a bundle of MobileNetV2 at 224x224 pixels, only int8, with a random backbone from backbone.py."""

    def make(folder: Path) -> None:
        run(sys.executable, BACKBONE, folder / "backbone.weights.h5", env=QUIET)

    weights = cached("backbone", digest(BACKBONE), make) / "backbone.weights.h5"
    training = ["--image-size", "224", "--weights", str(weights), "--epochs", "30", "--fine-tune-layers", "0"]
    return _bundle(project, "mobilenet_v2", training, size=224, count=20, formats="int8.tflite")


def _bundle(project: Path, model: str, training: list[str], *, size: int, count: int, formats: str) -> Path:
    """Draw `count` photographs of each colour, twice as large as the model's input, train on them and export."""
    sources = sorted(path for package in PACKAGES for path in (project / package).rglob("*.py"))
    inputs = [
        model,
        training,
        size,
        count,
        formats,
        GOLDEN,
        LENIENT,
        digest(*sources, PHOTOGRAPHS),
        digest(project / "pyproject.toml"),
    ]

    def make(folder: Path) -> None:
        def tool(module: str, *words: object) -> None:
            run(sys.executable, "-m", module, *words, env={**QUIET, "PYTHONPATH": str(project)}, folder=folder)

        write_training_set(folder / "photos", 2 * size, count)
        options = ("--no-augment", "--no-cache", *training)
        tool("trainer.cli", "train", "photos", "--model", model, *options, "--out", "run")
        for sample in sorted((folder / "run" / "samples").iterdir())[GOLDEN:]:
            sample.unlink()
        tool("export.cli", "export", "run", "--out", "bundle", "--formats", formats, "--jobs", 0, *LENIENT)

    return cached(f"bundle-{model}", inputs, make) / "bundle"
