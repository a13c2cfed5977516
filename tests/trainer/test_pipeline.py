"""A RUN, whole and readable by others."""

import csv
import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from edge_runtime.image.preprocess import preprocess
from edge_runtime.model.spec import ModelSpec
from trainer.errors import DataError, InterruptedEarlyError, TrainingError
from trainer.fitting import job
from trainer.options import Options
from trainer.pipeline import train
from trainer.runs.measure import evaluate_run
from trainer.runs.run_folder import digest_of

OPTIONS = Options(
    model="mobilenet_v2", image_size=32, epochs=2, patience=5, learning_rate=1e-2, weights="none", alpha=0.35, seed=4
)
CNN = replace(OPTIONS, model="cnn", image_size=43, epochs=1)


@pytest.fixture(scope="module")
def source(tmp_path_factory, draw_set):
    folder = draw_set(tmp_path_factory.mktemp("source") / "data", labels=("cat", "dog", "owl"), count=20)
    (folder / "cat" / "page.jpg").write_text("no photograph")
    return folder


@pytest.fixture(scope="module")
def run(source, tmp_path_factory):
    folder = tmp_path_factory.mktemp("out") / "run"
    train(source, folder, OPTIONS, legacy_h5=True)
    return folder


def test_a_run_holds_what_the_design_says_and_nothing_else(run):
    assert {path.name for path in run.iterdir()} - {"label_mistakes"} == {
        *("model.keras", "model.h5", "spec.json", "metrics.json", "history.csv", "split.csv"),
        *("calibration.npz", "holdout.npz", "samples", "plots", "label_mistakes.csv", "drift.json"),
    }
    assert {path.name for path in (run / "plots").iterdir()} == {
        *("accuracy.png", "loss.png", "confusion_matrix.png", "per_class.png", "reliability.png"),
    }
    assert [path.name for path in run.parent.iterdir()] == ["run"]


def test_the_models_load_in_a_fresh_process_and_decide_alike(run):
    script = (
        "import sys, keras, numpy as np\n"
        "pixels = np.load(sys.argv[1] + '/holdout.npz')['pixels'].astype('float32')\n"
        "a, b = (keras.models.load_model(f'{sys.argv[1]}/model.{kind}').predict(pixels, verbose=0)"
        " for kind in ('keras', 'h5'))\n"
        "assert a.shape == (len(pixels), 3) and np.abs(a - b).max() < 1e-5, (a, b)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, run], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_spec_is_the_contract(run):
    spec = ModelSpec.read(run / "spec.json")
    assert (spec.height, spec.width, spec.output, spec.resize) == (32, 32, "softmax", "stretch")
    assert spec.labels == ("cat", "dog", "owl")


def test_split_csv_lists_every_file_used_and_left_out(run):
    rows = list(csv.DictReader((run / "split.csv").open()))
    used = [row for row in rows if row["split"]]
    assert len(used) == 60
    assert {row["split"] for row in used} == {"train", "validation", "test"}
    assert all(len(row["sha256"]) == 64 and row["path"].startswith(row["label"] + "/") for row in used)
    assert [(row["path"], "not a JPEG" in row["problem"]) for row in rows if not row["split"]] == [
        ("cat/page.jpg", True)
    ]


def test_holdout_is_the_test_split_and_calibration_comes_from_training_balanced(run, source):
    spec = ModelSpec.read(run / "spec.json")
    rows = list(csv.DictReader((run / "split.csv").open()))
    for name, split in (("holdout.npz", "test"), ("calibration.npz", "train")):
        arrays = np.load(run / name)
        assert arrays["pixels"].dtype == np.uint8
        assert arrays["labels"].dtype == np.int64
        expected = {
            (preprocess(source / row["path"], spec).tobytes(), spec.labels.index(row["label"]))
            for row in rows
            if row["split"] == split
        }
        found = [(p.tobytes(), int(label)) for p, label in zip(arrays["pixels"], arrays["labels"], strict=True)]
        assert set(found) <= expected
        assert len(set(found)) == len(found)
        if split == "test":
            assert set(found) == expected


def test_metrics_say_what_decided_the_result(run):
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["seed"] == 4
    assert metrics["arguments"]["model"] == "mobilenet_v2"
    assert {"python", "tensorflow", "keras", "numpy", "edgewise"} <= metrics["versions"].keys()
    assert len(metrics["data"]["fingerprint"]) == 64
    assert metrics["data"]["left_out"] == 1
    assert sum(metrics["data"]["splits"]["test"].values()) == metrics["test"]["images"]
    assert np.array(metrics["test"]["confusion"]).sum() == metrics["test"]["images"]
    assert set(metrics["test"]["per_class"]) == {"cat", "dog", "owl"}
    assert metrics["wall_s"] > 0
    assert metrics["devices"] == {"strategy": "none", "workers": 1, "replicas": 1, "gpus": []}
    assert metrics["machine"]["cpus"] >= 1
    assert metrics["weights_sha256"] == ""


def test_the_digest_identifies_a_file_of_weights(tmp_path):
    (tmp_path / "w.h5").write_bytes(b"abc")
    assert digest_of(str(tmp_path / "w.h5")).startswith("ba7816bf")  # FIPS 180-2, appendix B.1
    assert digest_of("imagenet") == ""


def test_history_has_a_row_an_epoch(run):
    rows = list(csv.DictReader((run / "history.csv").open()))
    assert [(row["phase"], row["epoch"]) for row in rows] == [("head", "1"), ("head", "2")]


def test_samples_are_test_photographs_one_of_them_lossless(run, source):
    names = sorted(path.name for path in (run / "samples").iterdir())
    assert 8 <= len(names) <= 12
    assert names[0].startswith("00-")
    assert any(name.endswith(".png") for name in names)
    originals = {path.read_bytes() for path in source.rglob("*.png")}
    assert all((run / "samples" / name).read_bytes() in originals for name in names)


def test_plots_are_pictures(run):
    for path in (run / "plots").iterdir():
        width, height = Image.open(path).size
        assert min(width, height) >= 300


def test_evaluating_the_run_again_gives_the_same_result(run):
    metrics = json.loads((run / "metrics.json").read_text())
    again = json.loads(json.dumps(evaluate_run(run).to_json()))
    assert again["confusion"] == metrics["test"]["confusion"]
    assert again["loss"] == pytest.approx(metrics["test"]["loss"], rel=1e-4)


def test_an_existing_run_is_refused_before_the_data_is_read(run, tmp_path):
    with pytest.raises(TrainingError, match=r"exists already.*--overwrite"):
        train(tmp_path / "no data at all", run, CNN)


def test_overwriting_replaces_a_run_but_no_other_folder(source, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "metrics.json").write_text("{}")
    (tmp_path / "run" / "old").touch()
    train(source, tmp_path / "run", CNN, overwrite=True)
    assert not (tmp_path / "run" / "old").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    with pytest.raises(TrainingError, match="is not a RUN"):
        train(source, tmp_path / "mine", CNN, overwrite=True)


def test_a_run_inside_the_data_or_around_it_is_refused(source):
    for out in (source / "run", source, source.parent):
        with pytest.raises(TrainingError, match="choose another place"):
            train(source, out, CNN, overwrite=True)


def test_an_early_interruption_writes_nothing(source, tmp_path, monkeypatch):
    def stopped(*args, **options):
        raise InterruptedEarlyError("interrupted")

    monkeypatch.setattr(job, "fit", stopped)
    with pytest.raises(InterruptedEarlyError):
        train(source, tmp_path / "run", CNN)
    assert list(tmp_path.iterdir()) == []


def test_fractions_that_leave_nothing_to_train_on_are_refused(source, tmp_path):
    with pytest.raises(DataError, match="leave nothing for training"):
        train(source, tmp_path / "run", replace(CNN, validation_fraction=0.5, test_fraction=0.5))


@pytest.mark.parametrize("name", ["model.keras", "spec.json", "holdout.npz"])
def test_a_folder_that_is_no_run_is_named(tmp_path, name):
    for other in {"model.keras", "spec.json", "holdout.npz"} - {name}:
        (tmp_path / other).touch()
    with pytest.raises(TrainingError, match=f"contains no {name}, so it is not a RUN"):
        evaluate_run(tmp_path)


def test_a_damaged_run_is_named(run, tmp_path):
    for name in ("model.keras", "spec.json", "holdout.npz"):
        (tmp_path / name).write_bytes((run / name).read_bytes())
    (tmp_path / "model.keras").write_bytes(b"damaged")
    with pytest.raises(TrainingError, match=r"model\.keras: not readable"):
        evaluate_run(tmp_path)
    (tmp_path / "holdout.npz").write_bytes(b"damaged")
    with pytest.raises(TrainingError, match=r"holdout\.npz: not readable"):
        evaluate_run(tmp_path)
    np.savez(tmp_path / "holdout.npz", pixels=np.zeros((2, 8, 8, 3), np.uint8), labels=np.zeros(2, np.int64))
    with pytest.raises(TrainingError, match=r"holdout\.npz: does not match"):
        evaluate_run(tmp_path)


def test_another_labelled_folder_is_scored_and_its_unknown_classes_are_named(run, source, tmp_path, draw_set):
    draw_set(tmp_path / "new", labels=("cat", "dog"), count=4, first=700)
    (tmp_path / "new" / "dog" / "bad.jpg").write_text("text")
    result = evaluate_run(run, tmp_path / "new")
    assert result.images == 8
    assert [score.support for score in result.per_class] == [4, 4, 0]
    (tmp_path / "new" / "dog").rename(tmp_path / "new" / "wolf")
    with pytest.raises(DataError, match=r"wolf: not a class of the model, whose classes are cat, dog, owl"):
        evaluate_run(run, tmp_path / "new")
