"""A bundle is compared with the one that it would replace."""

import csv
import hashlib
import json
import shutil

import numpy as np
import pytest

from edge_runtime.errors import BundleError
from edge_runtime.model.bundle import Bundle
from edge_runtime.model.training_digests import TRAINING_DIGESTS, keys_of, read_training_keys, to_bytes
from export.errors import ExportError, ParityError
from export.pipeline import export_run
from export.proof.plan import Plan

NAME = "float32.tflite"


def digest_of(name):
    return hashlib.sha256(name.encode()).hexdigest()


def with_digests(run, learnt, tests):
    """Write split.csv, and the keys of the held-out images, for photographs with made-up content."""
    with (run / "split.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("path", "label", "split", "sha256", "problem"))
        for name in learnt:
            writer.writerow((f"red/{name}", "red", "train", digest_of(name), ""))
        writer.writerow(("red/left-out", "", "", "", "a duplicate"))
    with np.load(run / "holdout.npz") as arrays:
        holdout = dict(arrays)
    np.savez(run / "holdout.npz", **{**holdout, "keys": keys_of(map(digest_of, tests))})
    return run


@pytest.fixture
def worse_run(tmp_path, tiny_run, trained_model):
    """A RUN whose model decides one class as another."""
    from export.quiet_tensorflow import keras

    folder = shutil.copytree(tiny_run.folder, tmp_path / "worse")
    model = keras.models.clone_model(trained_model)
    weights = trained_model.get_weights()
    weights[-2][:, [0, 1]], weights[-1][[0, 1]] = weights[-2][:, [1, 0]], weights[-1][[1, 0]]
    model.set_weights(weights)
    model.save(folder / "model.keras")
    return folder


def export(run, out, better_than=None):
    export_run(run, out, Plan([NAME], jobs=0, better_than=better_than))
    return json.loads((out / "report.json").read_text())["better_than"]


def test_an_equal_model_is_published_with_the_comparison_and_what_could_not_be_checked(
    tiny_bundle, copied_run, tmp_path
):
    found = export(copied_run, tmp_path / "new", tiny_bundle)
    assert (found["images"], found["only_old"], found["only_new"], found["p_worse"]) == (60, 0, 0, 1.0)
    assert "does not contain the digests of its training photographs" in found["caveat"]


def test_a_worse_model_is_not_published_and_a_better_one_is(tiny_bundle, worse_run, copied_run, tmp_path):
    with pytest.raises(
        ParityError, match=r"worse than .*bundle beyond chance.*correct only by the new one: 0, only by"
    ):
        export(worse_run, tmp_path / "new", tiny_bundle)
    assert not (tmp_path / "new").exists()
    export(worse_run, tmp_path / "bad")
    assert export(copied_run, tmp_path / "good", tmp_path / "bad")["only_new"] > 30


def test_images_that_the_older_model_has_learnt_from_are_left_out(copied_run, tmp_path):
    tests = [f"test{number}" for number in range(60)]
    assert export(with_digests(copied_run, ["a", "b", "a", *tests[:20]], tests), tmp_path / "old") is None
    bundle = Bundle.open(tmp_path / "old")
    bundle.check_files()
    keys = read_training_keys(bundle)
    assert keys.tolist() == sorted(int(digest_of(name)[:16], 16) for name in ["a", "b", *tests[:20]])
    assert bundle.read_file(bundle.files[TRAINING_DIGESTS]) == to_bytes(keys)
    found = export(copied_run, tmp_path / "new", tmp_path / "old")
    assert (found["images"], found["learnt"], found["caveat"]) == (40, 20, None)
    with pytest.raises(ExportError, match="has learnt from 60 of the 60 held-out images"):
        export(with_digests(copied_run, ["a"], tests[:20] * 3), tmp_path / "none", tmp_path / "old")
    path = tmp_path / "old" / TRAINING_DIGESTS
    path.write_bytes(path.read_bytes()[::-1])
    with pytest.raises(BundleError, match="damaged"):
        read_training_keys(bundle)


def test_a_bundle_of_another_size_is_refused_before_anything_is_converted(bundle, copied_run, tmp_path):
    with pytest.raises(ExportError, match=r"takes 32x24 pixels \(stretch\), the new model 24x24"):
        export(copied_run, tmp_path / "new", bundle)
