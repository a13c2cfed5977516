"""Which files are photographs of which class."""

import os
import socket

import pytest

from trainer.data.layout import scan, with_background
from trainer.errors import DataError
from trainer.images.read_data import read_data
from trainer.options import DataOptions
from trainer.runs.measure import held_out_part


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


@pytest.mark.parametrize("name", ["validation", "val", "valid", "dev", "Val"])
@pytest.mark.parametrize("with_test", [False, True])
def test_a_set_with_its_own_validation_photographs(tmp_path, draw_set, name, with_test, capsys):
    draw_set(tmp_path / "train", count=6)
    draw_set(tmp_path / name, count=2, first=50)
    if with_test:
        draw_set(tmp_path / "test", count=3, first=80)
    dataset = read_data(tmp_path, DataOptions(image_size=32))
    assert {photo.file.name.split("/")[0] for photo in dataset.of("validation")} == {name}
    assert len(dataset.of("validation")) == 4
    assert {photo.file.name.split("/")[0] for photo in dataset.of("train")} == {"train"}
    assert {photo.file.name.split("/")[0] for photo in dataset.of("test")} == {"test" if with_test else "train"}
    assert ("no test part: its photographs were taken from train/" in capsys.readouterr().err) is not with_test


def test_a_validation_photograph_that_is_also_in_train_is_a_leak_that_is_left_out(tmp_path, draw_set):
    draw_set(tmp_path / "train", count=6)
    draw_set(tmp_path / "val", count=1)
    dataset = read_data(tmp_path, DataOptions(image_size=32))
    assert [problem.path for problem in dataset.problems] == ["train/cat/cat000.png", "train/dog/dog000.png"]
    assert len(dataset.of("validation")) == 2


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (("train", "val", "valid"), "both look like the validation photographs; merge them"),
        (("val", "test"), "but no train/; rename the folder of the training photographs"),
        (("train",), r"pass .*/train as the data folder"),
        (("photos/train", "photos/val"), r"photos contains folders: pass that one"),
        (("Animals", "Plants"), "if they are the classes, pass"),
    ],
)
def test_the_advice_for_another_layout_never_deletes_photographs(tmp_path, draw_set, parts, message):
    for part in parts:
        draw_set(tmp_path / part, count=2)
    with pytest.raises(DataError, match=message) as caught:
        scan(tmp_path)
    assert "remove" not in str(caught.value)


def test_background_photographs_are_split_although_the_set_is_divided(tmp_path, draw_set, draw_photo):
    for part in ("train", "val", "test"):
        draw_set(tmp_path / "data" / part, count=3, first=len(part) * 10)
    for number in range(8):
        draw_photo(tmp_path / "other" / f"{number}.png", 900 + number)
    dataset = read_data(tmp_path / "data", DataOptions(image_size=32, background=str(tmp_path / "other")))
    assert {photo.split for photo in dataset.photos if photo.file.label == "background"} == {
        "train",
        "validation",
        "test",
    }


def test_hidden_folders_of_the_background_are_skipped(data, tmp_path, draw_photo):
    draw_photo(tmp_path / "other" / "room" / "x.png", 1)
    draw_photo(tmp_path / "other" / ".thumbnails" / "y.png", 2)
    draw_photo(tmp_path / "other" / ".git" / "deep" / "z.png", 3)
    found = with_background(scan(data), tmp_path / "other")
    assert [file.name for file in found.files if file.label == "background"] == ["background/room/x.png"]


def test_only_regular_files_are_opened(data, tmp_path, draw_photo):
    os.mkfifo(data / "cat" / "pipe.jpg")
    (data / "dog" / "link.png").symlink_to(data / "cat" / "pipe.jpg")
    (data / "dog" / "device.png").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(data / "dog" / "socket.png"))
    draw_photo(tmp_path / "other" / "x.png", 1)
    os.mkfifo(tmp_path / "other" / "pipe.png")
    layout = with_background(scan(data), tmp_path / "other")
    special = {problem.path for problem in layout.problems if problem.reason.startswith("not a regular file")}
    assert special == {
        "cat/pipe.jpg",
        "dog/link.png",
        "dog/device.png",
        "dog/socket.png",
        "background/pipe.png",
    }
    assert len(layout.files) == 25


def test_a_file_that_becomes_a_pipe_after_the_scan_is_left_out(data, monkeypatch):
    seen = scan(data)
    (data / "cat" / "cat000.png").unlink()
    os.mkfifo(data / "cat" / "cat000.png")
    monkeypatch.setattr("trainer.images.read_data.scan_all", lambda folders: seen)
    [problem] = read_data(data, DataOptions(image_size=32)).problems
    assert problem.reason == "cannot be read: is not a regular file"


@pytest.mark.parametrize(("parts", "measured"), [(("train", "val", "test"), "test"), (("train", "val"), "val")])
def test_evaluate_measures_no_training_photographs_of_a_divided_folder(tmp_path, draw_set, parts, measured):
    for part in parts:
        draw_set(tmp_path / part, count=2)
    assert {name.split("/")[0] for name in names(held_out_part(scan(tmp_path)))} == {measured}
