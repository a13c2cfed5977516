"""A tiny trained run: three colours on 24x24 pixels, trained in a second."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from edge_runtime.model.spec import ModelSpec

if TYPE_CHECKING:
    from collections.abc import Callable

LABELS = ("blue", "green", "red")
SIDE = 24
PETS_ARTIFACTS = ("float32.tflite", "int8.tflite", "int8.onnx")


def colour_images(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw noisy images in which one channel is the brightest: uint8 (count, SIDE, SIDE, 3), int64 (count,)."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % len(LABELS)
    pixels = rng.integers(0, 150, (count, SIDE, SIDE, 3))
    for image, label in zip(pixels, labels, strict=True):
        image[..., 2 - label] += 100
    pixels[:, 0, 0], pixels[:, 0, 1] = 0, 255  # the whole range, as photographs have
    return pixels.clip(0, 255).astype(np.uint8), labels.astype(np.int64)


def colour_model(units: int = len(LABELS)):
    """Build an untrained classifier: softmax, or a sigmoid for one unit."""
    from export.quiet_tensorflow import keras

    keras.utils.set_random_seed(5)
    image = keras.Input((SIDE, SIDE, 3), name="image")
    x = keras.layers.Rescaling(1 / 255)(image)
    x = keras.layers.Conv2D(8, 3, strides=2, activation="relu")(x)
    x = keras.layers.Conv2D(16, 3, strides=2, activation="relu")(x)
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dense(32, activation="relu")(x)
    form = "sigmoid" if units == 1 else "softmax"
    return keras.Model(image, keras.layers.Dense(units, activation=form, name="probabilities")(x))


@dataclass(frozen=True)
class TinyRun:
    """A run folder and the pixels it was made from."""

    folder: Path
    spec: ModelSpec


def write_run(folder: Path, model, spec: ModelSpec) -> TinyRun:
    """Write a run as the trainer does."""
    (folder / "samples").mkdir(parents=True)
    spec.write(folder / "spec.json")
    model.save(folder / "model.keras")
    pixels, labels = colour_images(90, seed=1)
    np.savez_compressed(folder / "calibration.npz", pixels=pixels, labels=labels)
    pixels, labels = colour_images(60, seed=2)
    np.savez_compressed(folder / "holdout.npz", pixels=pixels, labels=labels)
    for index in range(8):
        Image.fromarray(pixels[index]).save(folder / "samples" / f"{index:02d}-{LABELS[labels[index]]}.png")
    return TinyRun(folder, spec)


@pytest.fixture(scope="session")
def trained_model():
    model = colour_model()
    pixels, labels = colour_images(300, seed=3)
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(pixels.astype(np.float32), labels, epochs=12, batch_size=32, verbose=0)
    return model


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory, trained_model) -> TinyRun:
    folder = tmp_path_factory.mktemp("tiny") / "run"
    return write_run(folder, trained_model, ModelSpec(SIDE, SIDE, LABELS, "softmax"))


@pytest.fixture(scope="session")
def hard_swish_run(tmp_path_factory, tiny_run, trained_model) -> Path:
    """A run whose network begins with MobileNetV3's activation, which no converter makes with 16-bit activations."""
    from export.quiet_tensorflow import keras

    image = keras.Input((SIDE, SIDE, 3), name="image")  # from 3 on the activation changes no pixel
    model = keras.Model(image, trained_model(keras.layers.Activation("hard_silu")(image)))
    return write_run(tmp_path_factory.mktemp("hard-swish") / "run", model, tiny_run.spec).folder


@pytest.fixture
def copied_run(tmp_path, tiny_run) -> Path:
    """A run that a test may damage."""
    import shutil

    return Path(shutil.copytree(tiny_run.folder, tmp_path / "run"))


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory, tiny_run) -> Path:
    from export.artifacts import ARTIFACT_NAMES
    from export.pipeline import export_run
    from export.proof.plan import Plan

    out = tmp_path_factory.mktemp("bundles") / "bundle"
    export_run(tiny_run.folder, out, Plan(ARTIFACT_NAMES, jobs=0))
    return out


@pytest.fixture
def copied_bundle(tmp_path, tiny_bundle) -> Path:
    """A bundle that a test may damage."""
    import shutil

    return Path(shutil.copytree(tiny_bundle, tmp_path / "bundle"))


@pytest.fixture
def replace_worker(tmp_path_factory, monkeypatch) -> Callable[[str, str], None]:
    """Let a module that starts processes run another program in them."""

    def replace(module: str, program: str) -> None:
        folder = tmp_path_factory.mktemp("worker")
        (folder / "other_worker.py").write_text(program)
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), *sys.path]))
        monkeypatch.setattr(f"{module}.WORKER", "other_worker")

    return replace


@pytest.fixture
def error_line(capsys) -> Callable[[int], str]:
    """Check that a command failed with exit code 1 and one line on stderr; give the line."""

    def check(code: int) -> str:
        lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("edge-export: ")]
        assert code == 1
        assert len(lines) == 1
        return lines[0]

    return check


@pytest.fixture(scope="session")
def pets(shared, tmp_path_factory) -> Path:
    """Train a classifier of cats and dogs on the pretrained MobileNetV2 and export it; return their folder."""
    import subprocess
    import sys

    folder = tmp_path_factory.mktemp("pets")
    data, weights = shared("data/cats-dogs"), shared("weights/mobilenet_v2_1.0_160_notop.weights.h5")
    for command in (
        ["trainer.cli", "train", data, "--weights", weights, "--out", folder / "run"],
        ["export.cli", "export", folder / "run", "--out", folder / "bundle", "--formats", *PETS_ARTIFACTS],
    ):
        subprocess.run([sys.executable, "-m", *map(str, command)], capture_output=True, check=True)
    return folder
