"""Several data folders are read as one."""

import csv
import shutil

import numpy as np
import pytest

from trainer.data.layout import scan
from trainer.data.several_folders import scan_all
from trainer.errors import DataError
from trainer.images.read_data import read_data
from trainer.options import DataOptions
from trainer.runs.output import check_output

OPTIONS = DataOptions(image_size=16)


@pytest.fixture
def more(draw_set, tmp_path):
    return draw_set(tmp_path / "more", count=9, first=500)


def splits_of(dataset):
    return {photo.sha256: photo.split for photo in dataset.photos}


def test_names_of_the_first_folder_stay_and_those_of_others_begin_with_their_folder(data, more, tmp_path):
    shutil.copytree(more, tmp_path / "other" / "more")
    names = [file.name for file in scan_all([data, more, tmp_path / "other" / "more"]).files]
    assert len(names) == len(set(names)) == 24 + 18 + 18
    assert names[:24] == [file.name for file in scan(data).files]
    assert {name.split("/")[0] for name in names[24:]} == {"more", "more-2"}


def test_a_folder_whose_name_is_a_class_gets_another_name(data, more, tmp_path):
    shutil.copytree(more, tmp_path / "cat")
    assert {file.name.split("/")[0] for file in scan_all([data, tmp_path / "cat"]).files} == {"cat", "dog", "cat-2"}


def test_photographs_of_the_first_folder_keep_their_splits(data, more):
    before, after = splits_of(read_data(data, OPTIONS)), splits_of(read_data([data, more], OPTIONS))
    assert len(after) == 24 + 18
    assert {digest: after[digest] for digest in before} == before


def test_the_same_name_in_two_folders_is_two_photographs(data, more, draw_photo):
    draw_photo(more / "cat" / "cat000.png", 77, (200, 60, 40))
    dataset = read_data([data, more], OPTIONS)
    named = [photo for photo in dataset.photos if photo.file.path.name == "cat000.png"]
    assert len(named) == 2
    assert not np.array_equal(*(dataset.pixels[photo.row] for photo in named))


def test_a_folder_may_have_one_class_only_or_a_new_one_or_an_empty_one(data, tmp_path, draw_set):
    draw_set(tmp_path / "owls", labels=("owl",), count=5)
    (tmp_path / "owls" / "cat").mkdir()
    dataset = read_data([data, tmp_path / "owls"], OPTIONS)
    assert dataset.spec.labels == ("cat", "dog", "owl")
    assert sum(photo.file.label == "owl" for photo in dataset.photos) == 5


def test_a_photograph_in_two_folders_is_used_once_and_in_two_classes_not_at_all(data, more):
    shutil.copy(data / "cat" / "cat000.png", more / "cat" / "copied.png")
    shutil.copy(data / "cat" / "cat001.png", more / "dog" / "copied.png")
    reasons = {problem.path: problem.reason for problem in read_data([data, more], OPTIONS).problems}
    assert "the same bytes as cat/cat000.png" in reasons["more/cat/copied.png"]
    assert {path for path, reason in reasons.items() if "contradictory" in reason} == {
        "cat/cat001.png",
        "more/dog/copied.png",
    }


def test_a_divided_folder_keeps_its_parts_and_the_other_is_divided_by_content(tmp_path, draw_set, more):
    draw_set(tmp_path / "set" / "train", count=9)
    draw_set(tmp_path / "set" / "test", count=3, first=100)
    draw_set(more, count=40, first=600)
    dataset = read_data([tmp_path / "set", more], OPTIONS)
    parts = {photo.file.name: photo.split for photo in dataset.photos}
    assert {split for name, split in parts.items() if name.startswith("test/")} == {"test"}
    assert {split for name, split in parts.items() if name.startswith("train/")} == {"train", "validation"}
    assert {split for name, split in parts.items() if name.startswith("more/")} == {"train", "validation", "test"}


def test_pixels_come_from_the_cache_also_when_a_folder_was_added(data, more, tmp_path, capsys):
    read_data(data, OPTIONS, tmp_path / "cache")
    cold = read_data([data, more], OPTIONS, tmp_path / "cache")
    capsys.readouterr()
    warm = read_data([data, more], OPTIONS, tmp_path / "cache")
    assert "reading" not in capsys.readouterr().err
    np.testing.assert_array_equal(cold.pixels, warm.pixels)


def test_corrections_name_photographs_of_every_folder(data, more, tmp_path):
    file = tmp_path / "corrections.csv"
    with file.open("w", newline="") as stream:
        rows = [("cat/cat000.png", "dog"), ("more/dog/dog500.png", "cat"), ("more/cat/cat501.png", "")]
        csv.writer(stream).writerows([("path", "label"), *rows])
    dataset = read_data([data, more], DataOptions(image_size=16, corrections=str(file)))
    labels = {photo.file.name: photo.file.label for photo in dataset.photos}
    assert (labels["cat/cat000.png"], labels["more/dog/dog500.png"]) == ("dog", "cat")
    assert "more/cat/cat501.png" not in labels


def test_folders_that_would_be_read_twice_are_refused(data, tmp_path):
    with pytest.raises(DataError, match="is the same folder as"):
        scan_all([data, tmp_path / "x" / ".." / "data"])
    with pytest.raises(DataError, match=r"is inside of .*, or contains it"):
        scan_all([data, tmp_path])


def test_classes_that_differ_only_by_case_in_two_folders_are_refused(data, tmp_path, draw_set):
    draw_set(tmp_path / "draft", labels=("owl",), count=3)
    (tmp_path / "draft" / "owl").rename(tmp_path / "draft" / "Cat")
    with pytest.raises(DataError, match="'Cat' and 'cat' differ only by case"):
        scan_all([data, tmp_path / "draft"])


def test_a_run_inside_any_of_the_folders_is_refused(data, more):
    with pytest.raises(Exception, match="is inside of the data folder"):
        check_output([data, more], more / "run", overwrite=False)


def test_json_files_next_to_photographs_are_no_photographs_and_no_problems(data):
    (data / "cat" / "cat000.json").write_text("{}")
    (data / "cat" / "alone.json").write_text("{}")
    dataset = read_data(data, OPTIONS)
    assert [problem.path for problem in dataset.problems] == ["cat/alone.json"]
    assert len(dataset.photos) == 24
