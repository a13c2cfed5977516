"""Which files are photographs of which class."""

import pytest

from trainer.data.layout import scan
from trainer.errors import DataError


def names(layout):
    return [file.name for file in layout.files]


def test_a_folder_per_class_gives_sorted_labels_and_files(data):
    layout = scan(data)
    assert layout.labels == ("cat", "dog")
    assert names(layout)[0] == "cat/cat000.png"
    assert len(layout.files) == 24
    assert {file.part for file in layout.files} == {"all"}


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("train", "test"),
        ("training_set", "test_set"),
        ("training_set/training_set", "test_set/test_set"),
    ],
)
def test_a_divided_set_keeps_its_parts(tmp_path, draw_set, train, test):
    draw_set(tmp_path / train, count=3)
    draw_set(tmp_path / test, count=2, first=50)
    layout = scan(tmp_path)
    assert layout.labels == ("cat", "dog")
    assert [file.part for file in layout.files].count("train") == 6
    assert [file.part for file in layout.files].count("test") == 4
    assert f"{test}/dog/dog050.png" in names(layout)


def test_classes_named_train_and_test_are_classes_when_they_hold_photographs(tmp_path, draw_photo):
    draw_photo(tmp_path / "train" / "a.png", 1)
    draw_photo(tmp_path / "test" / "b.png", 2)
    assert scan(tmp_path).labels == ("test", "train")


def test_hidden_files_and_folders_are_ignored(data, draw_photo):
    draw_photo(data / ".thumbnails" / "x.png", 99)
    (data / "cat" / ".DS_Store").write_bytes(b"x")
    layout = scan(data)
    assert layout.labels == ("cat", "dog")
    assert len(layout.files) == 24
    assert layout.problems == ()


def test_stray_files_and_nested_folders_are_problems(data, draw_photo):
    (data / "notes.txt").write_text("hello")
    draw_photo(data / "dog" / "puppies" / "x.png", 99)
    reasons = {problem.path: problem.reason for problem in scan(data).problems}
    assert "next to the class folders" in reasons["notes.txt"]
    assert "inside a class folder" in reasons["dog/puppies"]


def test_no_such_folder(tmp_path):
    with pytest.raises(DataError, match=r"nowhere: no such folder; expected one folder per class"):
        scan(tmp_path / "nowhere")


def test_a_file_is_no_data_folder(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match="a file, not a folder"):
        scan(tmp_path / "file")


def test_one_class_is_too_few(tmp_path, draw_set):
    with pytest.raises(DataError, match="contains cat; a classifier needs at least two classes"):
        scan(draw_set(tmp_path, labels=("cat",)))


def test_an_empty_class_is_named(data):
    (data / "owl").mkdir()
    with pytest.raises(DataError, match=r"owl: an empty class folder"):
        scan(data)


def test_a_class_missing_from_one_part_is_named(tmp_path, draw_set):
    draw_set(tmp_path / "train", labels=("cat", "dog", "owl"), count=3)
    draw_set(tmp_path / "test", count=1, first=50)
    with pytest.raises(DataError, match=r"test: has no folder for class 'owl'"):
        scan(tmp_path)


def test_a_third_folder_beside_train_and_test_is_refused(tmp_path, draw_set):
    for part in ("train", "test", "extra"):
        draw_set(tmp_path / part, count=3)
    with pytest.raises(DataError, match=r"extra: a folder next to train/ and test/"):
        scan(tmp_path)
