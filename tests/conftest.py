"""What every test may ask for: data beside the checkout, and a real bundle whose right answers are plain.

The bundle holds three artifacts of a classifier that names an image's main colour.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest
from PIL import Image

from edge_runtime.model.spec import ModelSpec

TESTS = Path(__file__).resolve().parent
HEIGHT, WIDTH = 24, 32  # unequal, so that a swap of the two shows
LABELS = ("red", "green", "blue")
MODEL_NAMES = ("float32.tflite", "int8.tflite", "float32.onnx")
COLORS = {"red": (220, 30, 20), "green": (25, 210, 30), "blue": (20, 40, 230)}


@pytest.fixture(scope="session")
def shared():
    """Give a function that finds data kept beside the checkout, or skips the test where there is none."""

    def find(name: str) -> Path:
        path = TESTS.parents[1] / "shared" / name
        if not path.exists():
            pytest.skip(f"needs {name}, which is kept beside the checkout, not in it")
        return path

    return find


@pytest.fixture(scope="session")
def spec():
    return ModelSpec(height=HEIGHT, width=WIDTH, labels=LABELS, output="softmax", resize="stretch")


@pytest.fixture(scope="session")
def models(tmp_path_factory, request):
    """Write the colour classifier as float32 TFLite, int8 TFLite and ONNX; give the files by artifact name.

    TensorFlow takes ten seconds for them, so pytest's cache keeps them: `--cache-clear` makes them anew. A device has
    no TensorFlow: EDGEWISE_TEST_MODELS names a folder where they lie ready.
    """
    if ready := os.environ.get("EDGEWISE_TEST_MODELS"):
        return {name: Path(ready) / f"model.{name}" for name in MODEL_NAMES}
    for module in ("tensorflow", "onnx"):
        if find_spec(module) is None:
            pytest.skip(f"needs {module} to make the test models")
    script = TESTS / "edge_runtime" / "make_models.py"
    made_by = hashlib.sha256(script.read_bytes() + version("tensorflow").encode()).hexdigest()[:16]
    cache = getattr(request.config, "cache", None)
    folder = cache.mkdir(f"models-{made_by}") if cache else tmp_path_factory.mktemp("models")
    files = {name: folder / f"model.{name}" for name in MODEL_NAMES}
    if not all(path.exists() for path in files.values()):
        scratch = tmp_path_factory.mktemp("made")
        done = subprocess.run([sys.executable, script, scratch], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        for path in files.values():
            partial = shutil.copy(scratch / path.name, path.with_suffix(".partial"))
            Path(partial).replace(path)
    return files


@pytest.fixture
def bundle(models, spec, tmp_path, write_bundle):
    """A fresh whole bundle, its default the int8 TFLite artifact."""
    return write_bundle(tmp_path / "bundle", spec, models, default="int8.tflite")


@pytest.fixture(scope="session")
def write_bundle():
    """Give a function that writes a bundle of any model files."""
    return _write_bundle


@pytest.fixture
def photo(tmp_path):
    """Give a function that writes a plainly coloured picture."""

    def write(color="red", name=None, size=(64, 48)):
        path = tmp_path / (name or f"{color}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, COLORS[color]).save(path)
        return path

    return write


def _write_bundle(folder, spec, models, default):
    folder.mkdir()
    artifacts = []
    for name, source in models.items():
        content = source.read_bytes()
        (folder / f"model.{name}").write_bytes(content)
        precision, file_format = name.split(".")
        parity = {
            "images": 3,
            "max_abs_diff": 0.0,
            "mean_abs_diff": 0.0,
            "snr_db": None,
            "top1_agreement": 1.0,
            "accuracy": 0.975,
            "reference_accuracy": 0.975,
        }
        file = {
            "path": f"model.{name}",
            "size_bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
        }
        artifacts.append({"name": name, "precision": precision, "format": file_format, "file": file, "parity": parity})
    manifest = {
        "version": 1,
        "spec": spec.to_json(),
        "default": default,
        "artifacts": artifacts,
        "files": [],
        "versions": {"tensorflow": "2.21.0"},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder
