"""edge-train explain and the page of evaluate, on a RUN whose network finds the redder of two colours."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image

from edge_runtime.model.spec import ModelSpec
from trainer.cli import main
from trainer.networks.models import build_cnn
from trainer.runs.measure import measure_run

SIDE = 48


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("out") / "run"
    folder.mkdir()
    image = keras.Input((SIDE, SIDE, 3), name="image")
    dense = layers.Dense(1, activation="sigmoid")
    pooled = layers.GlobalAveragePooling2D()(layers.AveragePooling2D(8)(image))
    model = keras.Model(image, dense(pooled))
    dense.set_weights([np.array([[0.1], [0.0], [-0.1]], np.float32), np.zeros(1, np.float32)])
    model.save(folder / "model.keras")
    ModelSpec(height=SIDE, width=SIDE, labels=("blue", "red"), output="sigmoid").write(folder / "spec.json")
    pixels = np.full((6, SIDE, SIDE, 3), 100, np.uint8)
    pixels[:, 8:24, 24:40, 0] = 250
    np.savez(folder / "holdout.npz", pixels=pixels, labels=np.array([0, 0, 1, 1, 1, 1]))
    return folder


@pytest.fixture
def photo(tmp_path):
    pixels = np.full((96, 96, 3), 100, np.uint8)
    pixels[16:48, 48:80, 0] = 250
    Image.fromarray(pixels).save(tmp_path / "lamp.png")
    return tmp_path / "lamp.png"


def test_the_photograph_and_its_map_are_written_side_by_side(run, photo, tmp_path, capsys):
    assert main(["explain", str(run), str(photo), "--out", str(tmp_path / "maps")]) == 0
    assert capsys.readouterr().out == f"{photo}: red 0.84, {tmp_path}/maps/000-lamp.png\n"
    drawn = np.asarray(Image.open(tmp_path / "maps" / "000-lamp.png").convert("RGB")).astype(int)
    assert drawn.shape == (384, 768, 3)
    changed = np.abs(drawn[:, :384] - drawn[:, 384:]).sum(axis=2)
    assert changed[80:176, 208:304].mean() > 10 * changed[220:].mean()


def test_another_class_is_explained_on_request_and_a_folder_is_searched(run, photo, tmp_path, capsys):
    arguments = ["explain", str(run), str(photo.parent), "--out", str(tmp_path / "maps"), "--label", "blue", "--json"]
    assert main(arguments) == 0
    (line,) = capsys.readouterr().out.splitlines()
    row = json.loads(line)
    assert (row["label"], row["explained"], row["path"]) == ("red", "blue", str(photo))


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--label", "green"], "--label green: not a class of"),
        (["missing.png"], "missing.png"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(run, photo, tmp_path, capsys, words, problem):
    assert main(["explain", str(run), str(photo), *words, "--out", str(tmp_path / "maps")]) == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert problem in error
    assert not (tmp_path / "maps").exists()


def test_a_folder_of_other_files_is_not_overwritten(run, photo, tmp_path, capsys):
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / "thesis.txt").write_text("all of it")
    assert main(["explain", str(run), str(photo), "--out", str(tmp_path / "maps"), "--overwrite"]) == 1
    assert "other files than pictures" in capsys.readouterr().err
    assert (tmp_path / "maps" / "thesis.txt").read_text() == "all of it"


def test_a_network_without_pooled_features_is_refused(run, photo, tmp_path, capsys):
    folder = tmp_path / "cnn"
    folder.mkdir()
    for name in ("spec.json", "holdout.npz"):
        (folder / name).write_bytes((run / name).read_bytes())
    build_cnn(ModelSpec.read(run / "spec.json")).save(folder / "model.keras")
    assert main(["explain", str(folder), str(photo), "--out", str(tmp_path / "maps")]) == 1
    assert "has no pooled features" in capsys.readouterr().err
    assert measure_run(folder).explained == {}


def test_wrong_decisions_are_explained_on_the_page(run):
    measured = measure_run(run)
    assert sorted(measured.explained) == [0, 1]
    changed = np.abs(measured.explained[0].astype(int) - measured.pixels[0]).sum(axis=2)
    assert changed[8:24, 24:40].mean() > 10 * changed[32:].mean()
    from trainer.pages.evaluation import render

    page = render(measured, "run")
    assert page.count("the places that speak for red") == 2
    assert "edge-train explain RUN PHOTO" in page
