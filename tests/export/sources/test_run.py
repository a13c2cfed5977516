import numpy as np
import pytest

from edge_runtime.errors import SpecError
from edge_runtime.storage.json_files import read_json, write_json
from export.errors import ExportError
from export.sources.run import read_run


def test_a_run_is_read_with_its_images_and_labels(tiny_run):
    source = read_run(tiny_run.folder)
    assert source.spec == tiny_run.spec
    assert source.calibration.shape == (90, 24, 24, 3)
    assert source.holdout.dtype == np.uint8
    assert source.holdout_labels.shape == (60,)
    assert len(source.samples) == 8


def test_the_reference_is_right_on_images_it_never_saw(tiny_run):
    source = read_run(tiny_run.folder)
    probabilities = source.probabilities(source.holdout)
    assert probabilities.shape == (60, 3)
    assert probabilities.dtype == np.float32
    assert np.mean(probabilities.argmax(axis=1) == source.holdout_labels) > 0.95


def test_no_such_run_is_one_clear_line(tmp_path):
    with pytest.raises(ExportError, match="no such RUN folder; edge-train train writes one"):
        read_run(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["model.keras", "calibration.npz", "holdout.npz"])
def test_a_missing_file_is_named(copied_run, name):
    (copied_run / name).unlink()
    with pytest.raises(ExportError, match=rf"{name}: no such file"):
        read_run(copied_run)


@pytest.mark.parametrize("name", ["model.keras", "calibration.npz", "holdout.npz"])
def test_a_truncated_file_is_named(copied_run, name):
    path = copied_run / name
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ExportError, match=name):
        read_run(copied_run)


def test_images_of_another_size_than_the_spec_says_are_refused(copied_run):
    spec = read_json(copied_run / "spec.json", SpecError)
    write_json(copied_run / "spec.json", {**spec, "height": 32})
    with pytest.raises(ExportError, match=r"holdout.npz: contains uint8"):
        read_run(copied_run)


def test_a_model_with_other_outputs_than_the_spec_says_is_refused(copied_run):
    spec = read_json(copied_run / "spec.json", SpecError)
    write_json(copied_run / "spec.json", {**spec, "labels": [*spec["labels"], "violet"], "thresholds": [0.0] * 4})
    with pytest.raises(ExportError, match=r"model.keras: its 3 outputs are 3 classes, but there are 4 labels"):
        read_run(copied_run)


def test_held_out_images_that_also_calibrate_are_refused(copied_run):
    (copied_run / "calibration.npz").write_bytes((copied_run / "holdout.npz").read_bytes())
    with pytest.raises(ExportError, match="60 held-out images are also calibration images"):
        read_run(copied_run)


def test_labels_beyond_the_classes_are_refused(copied_run):
    with np.load(copied_run / "holdout.npz") as file:
        pixels, labels = file["pixels"], file["labels"]
    np.savez(copied_run / "holdout.npz", pixels=pixels, labels=labels + 1)
    with pytest.raises(ExportError, match="labels from 1 to 3 for 3 classes"):
        read_run(copied_run)
