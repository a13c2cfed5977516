"""Exported files work in MediaPipe Tasks, in Netron and in the oldest supported ONNX Runtime.

Each tool is installed from PyPI in its own environment.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.image.preprocess import preprocess
from edge_runtime.model.bundle import Bundle
from export.runtimes.compatibility import DEFAULT_FLOORS
from export.runtimes.process import run_on_device

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


@pytest.fixture(scope="session")
def other_tools(request):
    return environment(request, "other-tools", "mediapipe>=0.10", "netron>=8")


@pytest.fixture(scope="session")
def oldest_onnx_runtime(request):
    return environment(request, "oldest-onnx-runtime", f"{DEFAULT_FLOORS[1]}.*", "pillow")


def environment(request, name, *packages):
    """Create an environment in pytest's cache unless it exists, and return the path of its Python."""
    folder = request.config.cache.mkdir(name)
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        install = [python, "-m", "pip", "install", "--quiet", *packages]
        done = subprocess.run(install, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"needs {' '.join(packages)} from PyPI: {done.stderr.strip().splitlines()[-1]}")
        (folder / "ready").touch()
    return python


@pytest.fixture(scope="module")
def pixels(tiny_run):
    with np.load(tiny_run.folder / "holdout.npz") as file:
        return file["pixels"]


@pytest.mark.parametrize("name", ["float32.tflite", "int8.tflite"])
def test_mediapipe_returns_the_same_labels_and_scores(other_tools, tiny_bundle, tmp_path, pixels, name):
    path = tiny_bundle / f"model.{name}"
    np.save(tmp_path / "pixels.npy", pixels)
    command = [other_tools, HERE / "classify_in_mediapipe.py", path, tmp_path / "pixels.npy", tmp_path / "found.json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    classified = json.loads((tmp_path / "found.json").read_text())
    spec = Bundle.open(tiny_bundle).spec
    expected = run_on_device(path, spec, pixels, "litert").probabilities
    assert [label for label, _ in classified] == [spec.labels[index] for index in expected.argmax(axis=1)]
    assert [score for _, score in classified] == pytest.approx(expected.max(axis=1), abs=2 / 256)


def test_mediapipe_gives_an_unfamiliar_photograph_low_scores_without_knowing_of_familiarity(
    other_tools, pets, tmp_path, shared
):
    bundle = Bundle.open(pets / "bundle")
    hands = sorted(shared("data/sign-digits").glob("*/*"))[::100]
    np.save(tmp_path / "pixels.npy", np.stack([preprocess(path, bundle.spec) for path in hands]))
    for artifact in ("float32.tflite", "int8.tflite"):
        files = [pets / "bundle" / f"model.{artifact}", tmp_path / "pixels.npy", tmp_path / "found.json"]
        command = [other_tools, HERE / "classify_in_mediapipe.py", *files]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        scores = [score for _, score in json.loads((tmp_path / "found.json").read_text())]
        assert len(scores) == len(hands) > 10
        assert max(scores) < 0.5


def test_netron_opens_every_file(other_tools, tiny_bundle):
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs node to run Netron's parser")
    (netron,) = other_tools.parents[1].glob("lib/python*/site-packages/netron")
    files = sorted(tiny_bundle.glob("model.*"))
    command = [node, HERE / "open_in_netron.mjs", netron, *files]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    opened = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(opened) == len(files) == 6
    assert all((item["inputs"], item["outputs"]) == (["image"], ["probabilities"]) for item in opened)
    assert all("labels" in item["metadata"] for item in opened if item["format"].startswith("ONNX"))


@pytest.mark.parametrize("name", ["float32.onnx", "int8.onnx"])
def test_the_oldest_supported_onnx_runtime_passes_the_selftest(oldest_onnx_runtime, tiny_bundle, name):
    command = [oldest_onnx_runtime, "-m", "edge_runtime.cli", "selftest", tiny_bundle, "--artifact", name]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={"PYTHONPATH": str(ROOT)})
    assert done.returncode == 0, done.stdout + done.stderr
