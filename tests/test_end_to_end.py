"""The main job on real input: ten classes from scratch, and a device that has the runtime alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]


def command(module: str, *words: object) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([sys.executable, "-m", module, *map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def digits(shared, tmp_path_factory) -> Path:
    """Train the article's network on hand-signed digits and export it; give the folder of both."""
    folder = tmp_path_factory.mktemp("digits")
    data = shared("data/sign-digits")
    # Hands are photographed upright and centred: turned far, they are other signs.
    command(
        "trainer.cli", "train", data, "--model", "cnn", "--augment", "gentle", "--epochs", "24", "--out", folder / "run"
    )
    command("export.cli", "export", folder / "run", "--out", folder / "bundle")
    return folder


def test_ten_classes_from_scratch_reach_93_percent(digits):
    metrics = json.loads((digits / "run" / "metrics.json").read_text())
    assert len(metrics["test"]["per_class"]) == 10
    assert metrics["test"]["accuracy"] >= 0.93


def test_all_six_artifacts_pass_every_check(digits):
    manifest = json.loads((digits / "bundle" / "manifest.json").read_text())
    assert len(manifest["artifacts"]) == 6
    assert all(artifact["parity"]["accuracy"] >= 0.92 for artifact in manifest["artifacts"])


@pytest.fixture(scope="module")
def device(tmp_path_factory) -> Path:
    """An environment with the `pi` extra alone; give its bin folder."""
    folder = tmp_path_factory.mktemp("device")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    install = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", f"{ROOT}[pi]"]
    subprocess.run(install, check=True)
    return folder / "bin"


def test_a_device_without_tensorflow_decides_like_the_workstation(digits, device, shared):
    photographs = sorted(shared("data/sign-digits").glob("*/*"))[::40]
    words = ["classify", digits / "bundle", *photographs, "--json", "--artifact", "int8.tflite"]
    there = subprocess.run([device / "edge-run", *words], capture_output=True, text=True, check=True)
    here = command("edge_runtime.cli", *words)
    decided = [[json.loads(line)["label"] for line in run.stdout.splitlines()] for run in (there, here)]
    assert len(decided[0]) == len(photographs)
    assert decided[0] == decided[1]


def test_a_device_has_nothing_that_the_pi_extra_does_not_name(device):
    listed = subprocess.run(
        [device / "python", "-m", "pip", "list", "--format=json"], capture_output=True, text=True, check=True
    )
    names = {row["name"].lower().replace("_", "-") for row in json.loads(listed.stdout)}
    allowed = {"pip", "setuptools", "edgewise", "numpy", "pillow", "ai-edge-litert"}
    needs_of_litert = {"flatbuffers", "protobuf", "tqdm", "typing-extensions", "backports.strenum", "ml-dtypes"}
    assert names <= allowed | needs_of_litert


def test_a_device_without_a_runtime_is_told_which_extra_brings_one(digits, device, shared):
    photograph = next(shared("data/sign-digits").glob("*/*"))
    words = ["classify", digits / "bundle", photograph, "--backend", "onnx"]
    done = subprocess.run([device / "edge-run", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "edge-run: backend onnx is not installed; pip install 'edgewise[onnx]' brings it"
    ]
