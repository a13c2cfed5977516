"""Train ten classes from scratch, export them, and classify on a device that has only the runtime installed."""

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
    """Train the baseline CNN on hand-signed digits and export it; return the folder with the run and the bundle."""
    folder = tmp_path_factory.mktemp("digits")
    data = shared("data/sign-digits")
    # The hands are upright and centered. With a large rotation, one sign can look like another.
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
    """Create an environment with only the `pi` extra; return its bin folder."""
    folder = tmp_path_factory.mktemp("device")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    install = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", f"{ROOT}[pi]"]
    subprocess.run(install, check=True)
    return folder / "bin"


def test_a_device_without_tensorflow_predicts_the_same_labels_as_the_workstation(digits, device, shared):
    photographs = sorted(shared("data/sign-digits").glob("*/*"))[::40]
    words = ["classify", digits / "bundle", *photographs, "--json", "--artifact", "int8.tflite"]
    on_device = subprocess.run([device / "edge-run", *words], capture_output=True, text=True, check=True)
    on_workstation = command("edge_runtime.cli", *words)
    labels = [[json.loads(line)["label"] for line in run.stdout.splitlines()] for run in (on_device, on_workstation)]
    assert len(labels[0]) == len(photographs)
    assert labels[0] == labels[1]


def test_the_pi_extra_installs_only_the_expected_packages(device):
    listed = subprocess.run(
        [device / "python", "-m", "pip", "list", "--format=json"], capture_output=True, text=True, check=True
    )
    names = {row["name"].lower().replace("_", "-") for row in json.loads(listed.stdout)}
    allowed = {"pip", "setuptools", "edgewise", "numpy", "pillow", "ai-edge-litert"}
    requirements_of_litert = {"flatbuffers", "protobuf", "tqdm", "typing-extensions", "backports.strenum", "ml-dtypes"}
    assert names <= allowed | requirements_of_litert


def test_the_error_for_a_missing_runtime_names_the_extra_to_install(digits, device, shared):
    photograph = next(shared("data/sign-digits").glob("*/*"))
    words = ["classify", digits / "bundle", photograph, "--backend", "onnx"]
    done = subprocess.run([device / "edge-run", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "edge-run: backend onnx is not installed; install it with: pip install 'edgewise[onnx]'"
    ]
