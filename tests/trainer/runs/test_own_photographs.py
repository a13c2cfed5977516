"""What a RUN keeps of its own photographs: their features, and pictures of those with a suspicious label."""

import csv
import json

import numpy as np
import pytest

from trainer.data.corrections import corrected
from trainer.data.layout import scan
from trainer.data.split import SPLITS
from trainer.errors import TrainingError
from trainer.evaluation.learning_curve import LearningCurve
from trainer.images.read_data import read_data
from trainer.options import DataOptions
from trainer.runs import saved_features
from trainer.runs.label_mistakes import read_label_mistakes, write_label_mistakes
from trainer.runs.recognition import photos_of_split
from trainer.runs.saved_features import measure_learning_curve, write_features

DIMENSIONS, MISLABELLED = 24, 3


@pytest.fixture(scope="module")
def dataset(tmp_path_factory, draw_set):
    folder = draw_set(tmp_path_factory.mktemp("source") / "data", count=30)
    return read_data(folder, DataOptions(image_size=32), None)


@pytest.fixture(scope="module")
def features(dataset):
    """Features of two clusters; those of the first training photographs lie in the other class's."""
    random, found = np.random.default_rng(0), {}
    for split in SPLITS:
        classes = dataset.targets(photos_of_split(dataset, split))
        if split == "train":
            classes[:MISLABELLED] = 1 - classes[:MISLABELLED]
        noise = random.normal(size=(len(classes), DIMENSIONS))
        found[split] = (noise + 4 * np.eye(DIMENSIONS)[classes]).astype(np.float32)
    return found


@pytest.fixture
def run(tmp_path, dataset, features):
    write_features(tmp_path, dataset, features)
    assert write_label_mistakes(tmp_path, dataset, features, 0) >= MISLABELLED
    return tmp_path


def test_the_learning_curve_is_measured_from_the_features_of_the_run(run, dataset):
    found = measure_learning_curve(run, dataset.spec)
    assert isinstance(found, LearningCurve)
    assert found.total.photographs == pytest.approx(len(dataset.of("train")), abs=1)
    assert [one.label for one in found.classes] == ["cat", "dog"]


def test_features_too_large_for_half_precision_stay_finite(tmp_path, dataset, features):
    write_features(tmp_path, dataset, {split: values * 1e6 for split, values in features.items()})
    with np.load(tmp_path / "features.npz") as arrays:
        assert np.isfinite(arrays["features"]).all()
    assert isinstance(measure_learning_curve(tmp_path, dataset.spec), LearningCurve)


def test_damaged_features_are_named(run, dataset):
    (run / "features.npz").write_bytes(b"PK damaged")
    with pytest.raises(TrainingError, match=r"features\.npz: not readable .* train again"):
        measure_learning_curve(run, dataset.spec)
    np.savez(run / "features.npz", features=np.ones((3, 4)), labels=np.array([0, 1, 2]), splits=np.zeros(3))
    with pytest.raises(TrainingError, match="does not match spec"):
        measure_learning_curve(run, dataset.spec)


@pytest.mark.parametrize(
    ("model", "weights", "phases", "photographs", "reason"),
    [
        ("cnn_bn", "imagenet", 1, 60, "use mobilenet_v2 with weights"),
        ("mobilenet_v2", "none", 1, 60, "use mobilenet_v2 with weights"),
        ("mobilenet_v2", "imagenet", 2, 60, "--fine-tune-layers 0"),
        ("mobilenet_v2", "imagenet", 1, 9000, "more than 5,000"),
        ("mobilenet_v2", "imagenet", 1, 60, "train again"),
        ("efficientnet_lite0", "imagenet", 1, 60, "train again"),
    ],
)
def test_without_features_the_reason_is_stated(tmp_path, dataset, model, weights, phases, photographs, reason):
    result = {
        "arguments": {"model": model, "weights": weights},
        "data": {"photographs": photographs},
        "phases": [{}] * phases,
    }
    (tmp_path / "metrics.json").write_text(json.dumps(result))
    assert reason in measure_learning_curve(tmp_path, dataset.spec)


def test_large_sets_and_small_classes_have_no_curve(tmp_path, dataset, features, monkeypatch):
    monkeypatch.setattr(saved_features, "MOST_PHOTOGRAPHS", 59)
    write_features(tmp_path, dataset, features)
    assert not (tmp_path / "features.npz").exists()
    np.savez(
        tmp_path / "features.npz",
        features=np.ones((20, 4), np.float16),
        labels=np.arange(20) % 2,
        splits=(np.arange(20) > 12).astype(np.int8),
    )
    assert "a class has only 6 training photographs" in measure_learning_curve(tmp_path, dataset.spec)


def test_suspicious_photographs_are_read_with_their_pictures(run, dataset):
    found = read_label_mistakes(run)
    wrong = photos_of_split(dataset, "train")[:MISLABELLED]
    assert {photo.file.name for photo in wrong} <= {one.path for one in found[: MISLABELLED + 1]}
    by_path = {one.path: one for one in found}
    for photo in wrong:
        one = by_path[photo.file.name]
        assert (one.label, one.looks_like) == (photo.file.label, {"cat": "dog", "dog": "cat"}[photo.file.label])
        assert 0.5 < one.probability <= 1
        assert one.pixels.shape == (32, 32, 3)
        assert np.abs(one.pixels.mean(axis=(0, 1)) - dataset.pixels[photo.row].mean(axis=(0, 1))).max() < 8


def test_rows_that_the_user_has_corrected_are_not_shown_and_the_file_still_corrects(run, dataset):
    rows = list(csv.DictReader((run / "label_mistakes.csv").open()))
    rows[0]["label"], rows[1]["label"] = rows[0]["looks_like"], ""
    with (run / "label_mistakes.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    assert {one.path for one in read_label_mistakes(run)} == {row["path"] for row in rows[2:]}
    layout = corrected(scan(dataset.folders[0]), run / "label_mistakes.csv")
    labels = {file.name: file.label for file in layout.files}
    assert labels[rows[0]["path"]] == rows[0]["looks_like"]
    assert rows[1]["path"] not in labels


@pytest.mark.parametrize("text", ["path;label\n", "path,picture\nx,00.jpg\n", None])
def test_a_file_that_lost_its_columns_or_pictures_shows_nothing(run, capsys, text):
    if text is None:
        (run / "label_mistakes" / "00.jpg").unlink()
    else:
        (run / "label_mistakes.csv").write_text(text)
    assert read_label_mistakes(run) == []
    assert ("label_mistakes.csv" in capsys.readouterr().err) is (text != "path;label\n")


def test_a_picture_outside_of_the_run_is_not_read(run, tmp_path_factory, capsys):
    secret = tmp_path_factory.mktemp("other") / "secret.jpg"
    secret.write_bytes((run / "label_mistakes" / "00.jpg").read_bytes())
    (run / "label_mistakes.csv").write_text(
        f"path,label,looks_like,probability,picture\ncat/x.png,cat,dog,0.9,../../{secret.parent.name}/secret.jpg\n"
    )
    assert read_label_mistakes(run) == []
    assert "cannot be read" in capsys.readouterr().err
