"""Two RUNs are compared on photographs that neither has learnt from."""

import csv
import json
import shutil

import keras
import numpy as np
import pytest

from trainer.cli import main
from trainer.data.bursts import burst_of
from trainer.evaluation.paired import compare_paired, mcnemar_p
from trainer.images.read_data import read_data
from trainer.options import DataOptions
from trainer.pages.comparison import render
from trainer.runs.comparison import compare_runs
from trainer.runs.run_folder import write_arrays, write_split

SIDE = 16
RIGHT = {"cat": (1.0, 0.0, -1.0), "dog": (-1.0, 0.0, 1.0), "owl": (-0.5, 1.0, -0.5)}


def make_run(folder, data, weights=RIGHT, side=SIDE, labels=None, seed=0):
    """Write what `compare` needs of a RUN; its model compares the mean colours with the weights of each class."""
    folders = data if isinstance(data, list) else [data]
    dataset = read_data(folders, DataOptions(image_size=side, seed=seed))
    folder.mkdir()
    image = keras.Input((side, side, 3))
    features = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 50)(image))
    units = 1 if dataset.spec.output == "sigmoid" else len(dataset.spec.labels)
    output = keras.layers.Dense(units, activation=dataset.spec.output)
    model = keras.Model(image, output(features))
    columns = np.array([weights[label] for label in dataset.spec.labels]).T
    columns = columns[:, 1:] - columns[:, :1] if units == 1 else columns
    output.set_weights([columns, np.zeros(units)])
    model.save(folder / "model.keras")
    dataset.spec.write(folder / "spec.json")
    write_arrays(folder / "holdout.npz", dataset, dataset.of("test"))
    write_split(folder / "split.csv", dataset)
    first, *more = map(str, folders)
    (folder / "metrics.json").write_text(json.dumps({"data": {"folder": first, "more_folders": more}}))
    return folder


@pytest.fixture
def photographs(draw_set, tmp_path):
    return draw_set(tmp_path / "photographs", count=60)


def learnt(run):
    with (run / "split.csv").open() as stream:
        return {row["path"] for row in csv.DictReader(stream) if row["split"] in {"train", "validation"}}


def test_equal_models_do_not_differ_and_the_exit_code_is_0(photographs, tmp_path, capsys):
    for name in ("old", "new"):
        make_run(tmp_path / name, photographs)
    assert main(["compare", str(tmp_path / "old"), str(tmp_path / "new")]) == 0
    assert "no difference beyond chance" in capsys.readouterr().out


def test_a_worse_model_is_exit_code_1_with_what_each_got_right_alone(photographs, tmp_path, capsys):
    make_run(tmp_path / "old", photographs)
    make_run(tmp_path / "new", photographs, {**RIGHT, "dog": (2.0, 0.0, -2.0)})  # every photograph is the other class
    assert main(["compare", str(tmp_path / "old"), str(tmp_path / "new"), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["verdict"], found["only_new"]) == ("worse", 0)
    assert found["only_old"] == found["images"] == found["old_correct"] == len(found["differences"]) > 10
    assert found["p_worse"] == pytest.approx(0.5 ** found["images"])
    assert {one["old"] == one["label"] != one["new"] for one in found["differences"]} == {True}


def test_a_better_model_is_exit_code_0_and_has_a_page(photographs, tmp_path, capsys):
    make_run(tmp_path / "old", photographs, {**RIGHT, "dog": (2.0, 0.0, -2.0)})
    make_run(tmp_path / "new", photographs)
    page = tmp_path / "page.html"
    assert main(["compare", str(tmp_path / "old"), str(tmp_path / "new"), "--html", str(page)]) == 0
    assert "NEW is better beyond chance" in capsys.readouterr().out
    assert page.read_text().count("<img") == len(compare_runs(tmp_path / "old", tmp_path / "new").differences)


def test_photographs_that_either_has_learnt_from_are_left_out(photographs, draw_set, tmp_path):
    old = make_run(tmp_path / "old", photographs, seed=1)
    more = draw_set(tmp_path / "more", count=40, first=1000)
    new = make_run(tmp_path / "new", [photographs, more], {**RIGHT, "dog": (2.0, 0.0, -2.0)}, seed=2)
    found = compare_runs(old, new)
    names = {one.name for one in found.differences}
    assert not names & (learnt(old) | learnt(new))
    assert len(names) == found.paired.images
    assert found.left_out["used for training or validation"] > 0
    assert any(name.startswith("more/") for name in names)


def test_a_renamed_copy_of_a_training_photograph_in_data_is_left_out(photographs, draw_set, tmp_path):
    old, new = make_run(tmp_path / "old", photographs), make_run(tmp_path / "new", photographs)
    other = draw_set(tmp_path / "other", count=5, first=3000)
    shutil.copy(photographs / min(learnt(old)), other / "cat" / "copied.png")
    found = compare_runs(old, new, [other])
    assert (found.paired.images, found.left_out) == (10, {"used for training or validation": 1})


def test_other_frames_of_a_burst_that_was_learnt_are_left_out(photographs, draw_photo, draw_set, tmp_path):
    for number in range(40):
        draw_photo(photographs / "cat" / f"1_b{number:06x}_a.png", number, (200, 60, 40))
    run = make_run(tmp_path / "run", photographs)
    learnt_bursts = {burst_of(name) for name in learnt(run)} - {None}
    other = draw_set(tmp_path / "other", count=3, first=3000)
    for number in range(40):
        draw_photo(other / "cat" / f"1_b{number:06x}_b.png", 5000 + number, (200, 60, 40))
    found = compare_runs(run, run, [other])
    assert found.left_out == {"another frame of the burst was used for training or validation": len(learnt_bursts)}


def test_models_of_other_sizes_are_compared_and_classes_of_one_only_are_left_out(photographs, draw_set, tmp_path):
    old = make_run(tmp_path / "old", photographs, side=24)
    owls = tmp_path / "owls"
    draw_set(owls, labels=("cat", "dog", "owl"), count=30, first=400)
    new = make_run(tmp_path / "new", owls)
    found = compare_runs(old, new, [draw_set(tmp_path / "test", labels=("cat", "dog", "owl"), count=6, first=700)])
    assert found.paired.images == 12
    assert found.left_out == {"of a class that only one of the models knows": 6}


def test_photographs_that_are_gone_are_named_with_what_to_do(photographs, tmp_path, capsys):
    run = make_run(tmp_path / "run", photographs)
    photographs.rename(tmp_path / "elsewhere")
    assert main(["compare", str(run), str(run)]) == 1
    assert "are no longer there; pass --data DIR" in capsys.readouterr().err


def test_nothing_left_to_compare_on_says_why(photographs, draw_set, tmp_path, capsys):
    run = make_run(tmp_path / "run", photographs)
    copies = tmp_path / "copies"
    for name in sorted(learnt(run))[:30] + sorted(learnt(run))[-30:]:
        (copies / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(photographs / name, copies / name)
    assert main(["compare", str(run), str(run), "--data", str(copies)]) == 1
    assert "no photograph is left to compare on (60 used for training or validation)" in capsys.readouterr().err


def test_mcnemar_is_known():
    assert mcnemar_p(5, 0) == pytest.approx(1 / 32)
    assert mcnemar_p(0, 0) == 1.0


def test_a_class_that_falls_is_named_although_the_model_is_better():
    targets = np.repeat([0, 1], 50)
    old, new = np.zeros(100, bool), np.zeros(100, bool)
    old[50:], new[:50] = True, True
    new[50:90] = True
    found = compare_paired(old, new, targets, ["cat", "dog"])
    assert found.verdict == "better"
    assert [one.label for one in found.worse_classes] == ["dog"]


def test_names_are_escaped_in_the_page(photographs, tmp_path):
    make_run(tmp_path / "<old>", photographs)
    make_run(tmp_path / "new", photographs)
    page = render(compare_runs(tmp_path / "<old>", tmp_path / "new"))
    assert "&lt;old&gt;" in page
    assert "<old>" not in page
