"""What an exported classifier of cats and dogs recognizes: photographs of cats and dogs, and nothing else."""

from __future__ import annotations

import csv
import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from edge_runtime.familiarity.scenes import drawn_pixels
from edge_runtime.image.preprocess import preprocess
from edge_runtime.model.bundle import Bundle
from edge_runtime.selftest.golden import read_golden
from export.bundle.golden import _reproducible
from export.cli import main
from export.errors import ExportError, ParityError
from export.runtimes.process import run_on_device
from export.sources.run import read_run
from trainer.data.unfamiliar import package_pixels

from .conftest import PETS_ARTIFACTS

UNSEEN_SEED = 99  # of other scenes than those that the training measured


@pytest.fixture(scope="module")
def images(pets, shared):
    """Return preprocessed photographs of the test split, and other images by kind."""
    spec = Bundle.open(pets / "bundle").spec
    with np.load(pets / "run" / "holdout.npz") as arrays:
        known, labels = arrays["pixels"], arrays["labels"]
    hands = sorted(shared("data/sign-digits").glob("*/*"))[::8]
    others = {
        "hands": np.stack([preprocess(path, spec) for path in hands]),
        "scenes": drawn_pixels(100, spec, UNSEEN_SEED),
    }
    packaged = package_pixels(spec)
    return known, labels, others if packaged is None else {**others, "package": packaged}


@pytest.mark.parametrize("name", PETS_ARTIFACTS)
def test_photographs_of_the_classes_are_familiar_and_other_images_are_not(pets, images, name):
    known, labels, others = images
    bundle = Bundle.open(pets / "bundle")
    backend = "onnx" if name.endswith("onnx") else "litert"

    def run(pixels):
        return run_on_device(pets / "bundle" / f"model.{name}", bundle.spec, pixels, backend).probabilities

    probabilities = run(known)
    familiarity, correct = probabilities.sum(axis=1), probabilities.argmax(axis=1) == labels
    kept = familiarity >= bundle.spec.min_familiarity
    assert 0.9 <= kept.mean() <= 0.99
    assert correct[kept].mean() >= correct.mean()
    limit = np.quantile(familiarity, 0.05)
    fpr95 = {kind: float((run(pixels).sum(axis=1) >= limit).mean()) for kind, pixels in others.items()}
    assert max(fpr95.values()) <= 0.05, fpr95


def test_a_golden_image_is_unfamiliar_and_the_report_contains_the_proof(pets):
    bundle = Bundle.open(pets / "bundle")
    (scene,) = (image for image in read_golden(bundle) if "unfamiliar" in image.path)
    assert set(scene.decisions.values()) == {"unknown"}
    report = json.loads((pets / "bundle" / "report.json").read_text())
    for artifact in report["artifacts"]:
        assert artifact["familiar"]["images"] == 80
        assert artifact["familiar"]["kept"] == pytest.approx(artifact["familiar"]["reference_kept"], abs=0.02)


@pytest.fixture
def familiar_run(tmp_path, tiny_run):
    """Return a run with a familiarity, for the networks' features of 32 numbers."""
    folder = tmp_path / "run"
    shutil.copytree(tiny_run.folder, folder)
    random = np.random.default_rng(0)
    basis = np.linalg.qr(random.normal(size=(32, 6)))[0].astype(np.float32)
    np.savez(folder / "familiarity.npz", basis=basis, slope=20.0, offset=0.1, keep=0.95)
    pixels = random.integers(0, 256, (20, 24, 24, 3)).astype(np.uint8)
    np.savez(folder / "unfamiliar.npz", pixels=pixels)
    return folder


def test_every_format_computes_the_familiarity(familiar_run, tmp_path):
    assert main(["export", str(familiar_run), "--out", str(tmp_path / "bundle")]) == 0
    bundle = Bundle.open(tmp_path / "bundle")
    assert bundle.spec.min_familiarity == 0.5
    source = read_run(familiar_run)
    expected = source.probabilities(source.holdout)
    assert expected.sum(axis=1).std() > 0.05
    for name, artifact in bundle.artifacts.items():
        backend = "onnx" if name.endswith("onnx") else "litert"
        path = tmp_path / "bundle" / artifact.file.path
        found = run_on_device(path, bundle.spec, source.holdout, backend).probabilities
        assert np.abs(found - expected).max() < (1e-4 if "float32" in name else 0.15), name


def test_a_run_without_familiarity_is_exported_as_before(tiny_bundle):
    bundle = Bundle.open(tiny_bundle)
    assert bundle.spec.min_familiarity is None
    assert bundle.spec.to_json()["version"] == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda folder: (folder / "familiarity.npz").write_bytes(b"damaged"), r"familiarity\.npz: damaged"),
        (lambda folder: (folder / "unfamiliar.npz").unlink(), r"unfamiliar\.npz: no such file"),
        (
            lambda folder: np.savez(
                folder / "familiarity.npz", basis=np.zeros((7, 2), np.float32), slope=1.0, offset=0.5, keep=0.95
            ),
            r"model\.keras: its features are \(None, 32\), but its familiarity has 7 features",
        ),
        (
            lambda folder: np.savez(
                folder / "familiarity.npz", basis=np.zeros((32, 2), np.float32), slope=np.nan, offset=0.5, keep=0.95
            ),
            r"familiarity\.npz: contains .* not finite",
        ),
    ],
)
def test_a_damaged_familiarity_is_named(familiar_run, change, reason):
    change(familiar_run)
    with pytest.raises(ExportError, match=reason):
        read_run(familiar_run)


@pytest.mark.parametrize(
    ("spreads", "chosen"),
    [
        ([0.0] * 6, [0, 1, 2, 3, 4, 5]),
        ([0.0, 0.02, 0.0, 0.0, 0.0, 0.9], [0, 2, 3, 4]),
        ([0.03, 0.02, 0.0], [0, 1, 2]),
        ([0.9, 0.9, 0.01], [2]),
    ],
)
def test_golden_images_are_those_on_which_the_runtimes_agree(spreads, chosen):
    source = SimpleNamespace(samples=range(len(spreads)))
    item = SimpleNamespace(golden_spread=np.array(spreads), candidate=SimpleNamespace(precision="int8"))
    assert _reproducible(source, [item]) == chosen


def test_runtimes_that_agree_on_no_sample_are_an_error():
    source = SimpleNamespace(samples=range(2))
    item = SimpleNamespace(golden_spread=np.array([0.9, 0.8]), candidate=SimpleNamespace(precision="int8"))
    with pytest.raises(ParityError, match="different probabilities for every sample"):
        _reproducible(source, [item])


def test_the_limit_of_quantized_files_is_placed_on_the_validation_photographs(pets):
    source = read_run(pets / "run")
    with (pets / "run" / "split.csv").open() as stream:
        validation = sum(row["split"] == "validation" for row in csv.DictReader(stream))
    assert len(source.unseen) == validation
    seen = {image.tobytes() for image in (*source.calibration, *source.holdout)}
    assert not seen & {image.tobytes() for image in source.unseen}
