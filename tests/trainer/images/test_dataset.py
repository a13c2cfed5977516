"""Checked, free of duplicates, divided."""

import shutil
import warnings
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from edge_runtime.image.preprocess import preprocess
from edge_runtime.model.spec import ModelSpec
from trainer.data.layout import scan
from trainer.data.split import Fractions
from trainer.errors import DataError
from trainer.images.dataset import load


def read(folder, seed=0, labels=("cat", "dog")):
    spec = ModelSpec(height=16, width=12, labels=labels, output="sigmoid" if len(labels) == 2 else "softmax")
    return load(scan(folder), spec, Fractions(0.1, 0.2), seed)


def reasons(dataset):
    return {problem.path: problem.reason for problem in dataset.problems}


def test_every_photograph_has_one_split_and_every_class_all_three(data):
    dataset = read(data)
    assert len(dataset.photos) == 24
    for label in ("cat", "dog"):
        assert {p.split for p in dataset.photos if p.file.label == label} == {"train", "validation", "test"}


def test_pixels_are_those_of_preprocess(data):
    dataset = read(data)
    assert dataset.pixels.dtype == np.uint8
    for photo in dataset.photos:
        np.testing.assert_array_equal(dataset.pixels[photo.row], preprocess(photo.file.path, dataset.spec))


def test_targets_are_indices_into_the_labels(data):
    dataset = read(data)
    photos = dataset.of("train")
    assert [dataset.spec.labels[i] for i in dataset.targets(photos)] == [photo.file.label for photo in photos]


def test_adding_photographs_moves_none_of_the_old(data, draw_set):
    draw_set(data, count=40)
    before = {photo.file.name: photo.split for photo in read(data).photos}
    draw_set(data, count=60, first=100)
    after = {photo.file.name: photo.split for photo in read(data).photos}
    assert {name: after[name] for name in before} == before


def test_the_fingerprint_follows_content_not_names(data):
    first = read(data).fingerprint()
    (data / "cat" / "cat000.png").rename(data / "cat" / "renamed.png")
    assert read(data).fingerprint() == first
    (data / "cat" / "renamed.png").unlink()
    assert read(data).fingerprint() != first


def test_a_truncated_jpeg_is_left_out(data, draw_photo):
    path = draw_photo(data / "cat" / "cut.jpg", 1, size=(200, 200))
    path.write_bytes(path.read_bytes()[:2000])
    dataset = read(data)
    assert "damaged or incomplete" in reasons(dataset)["cat/cut.jpg"]
    assert len(dataset.photos) == 24


def test_text_named_jpg_is_left_out(data):
    (data / "dog" / "page.jpg").write_text("<html>not a photograph</html>")
    assert "not a JPEG, PNG, BMP, GIF or WebP image" in reasons(read(data))["dog/page.jpg"]


def test_an_empty_file_is_left_out(data):
    (data / "dog" / "empty.jpg").touch()
    assert "an empty file" in reasons(read(data))["dog/empty.jpg"]


def test_a_huge_png_is_left_out_without_a_warning(data):
    Image.new("1", (20_000, 20_000)).save(data / "dog" / "huge.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "reduce the image first" in reasons(read(data))["dog/huge.png"]


def test_png_data_named_jpg_is_left_out(data):
    (data / "cat" / "cat000.png").rename(data / "cat" / "cat000.jpg")
    assert "PNG data in a .jpg file" in reasons(read(data))["cat/cat000.jpg"]


def test_a_text_file_is_left_out_by_its_name(data):
    (data / "cat" / "list.txt").write_text("x")
    (data / "cat" / "README").write_text("x")
    assert "(.txt)" in reasons(read(data))["cat/list.txt"]
    assert "no extension" in reasons(read(data))["cat/README"]


def test_an_unreadable_file_is_left_out(data):
    (data / "cat" / "dangling.png").symlink_to("nowhere.png")
    assert "cannot be read: No such file" in reasons(read(data))["cat/dangling.png"]


def test_every_known_format_and_mode_is_read(data, draw_photo):
    for number, suffix in enumerate((".jpg", ".JPEG", ".bmp", ".webp", ".gif")):
        draw_photo(data / "cat" / f"format{suffix}", 500 + number)
    photo = Image.open(draw_photo(data / "cat" / "rgb.png", 600))
    for mode in ("L", "P", "RGBA", "1"):
        photo.convert(mode).save(data / "cat" / f"mode-{mode}.png")
    photo.convert("CMYK").save(data / "cat" / "cmyk.jpg")
    dataset = read(data)
    assert dataset.problems == ()
    assert len(dataset.photos) == 24 + 5 + 1 + 4 + 1


def test_a_jpeg_with_further_pictures_behind_it_may_be_named_jpg(data):
    frames = [Image.new("RGB", (30, 30), color) for color in ("red", "blue")]
    frames[0].save(data / "cat" / "phone.jpg", format="MPO", save_all=True, append_images=frames[1:])
    assert Image.open(data / "cat" / "phone.jpg").format == "MPO"
    assert read(data).problems == ()


def test_a_duplicate_within_a_class_is_kept_once(data):
    shutil.copyfile(data / "cat" / "cat003.png", data / "cat" / "copy.png")
    dataset = read(data)
    assert reasons(dataset) == {"cat/copy.png": "a duplicate: the same bytes as cat/cat003.png"}
    assert len({photo.sha256 for photo in dataset.photos}) == len(dataset.photos) == 24


def test_the_same_bytes_in_two_classes_are_all_left_out(data):
    shutil.copyfile(data / "cat" / "cat003.png", data / "dog" / "copy.png")
    dataset = read(data)
    assert set(reasons(dataset)) == {"cat/cat003.png", "dog/copy.png"}
    assert all("contradictory" in reason and "cat, dog" in reason for reason in reasons(dataset).values())


def test_a_divided_set_keeps_its_test_and_carves_validation_out_of_train(tmp_path, draw_set):
    draw_set(tmp_path / "train", count=20)
    draw_set(tmp_path / "test", count=5, first=50)
    dataset = read(tmp_path)
    splits = {(photo.file.part, photo.split) for photo in dataset.photos}
    assert splits == {("train", "train"), ("train", "validation"), ("test", "test")}
    assert Counter(photo.split for photo in dataset.photos)["test"] == 10


def test_a_leak_from_test_into_train_is_left_out_of_train(tmp_path, draw_set):
    draw_set(tmp_path / "train", count=5)
    draw_set(tmp_path / "test", count=2, first=50)
    shutil.copyfile(tmp_path / "test" / "cat" / "cat050.png", tmp_path / "train" / "cat" / "again.png")
    dataset = read(tmp_path)
    assert reasons(dataset) == {"train/cat/again.png": "a leak: the same bytes as test/cat/cat050.png"}
    assert "test/cat/cat050.png" in {photo.file.name for photo in dataset.of("test")}


def test_a_class_of_two_images_is_too_few(tmp_path, draw_set):
    draw_set(tmp_path, count=2)
    with pytest.raises(DataError, match=r"class 'cat' has 2 usable photographs.*add some"):
        read(tmp_path)


def test_a_class_of_three_images_is_enough(tmp_path, draw_set):
    draw_set(tmp_path, count=3)
    assert Counter(photo.split for photo in read(tmp_path).photos) == {"train": 2, "validation": 2, "test": 2}


def test_unusable_files_do_not_count_towards_a_class(data):
    for path in sorted((data / "dog").iterdir())[2:]:
        path.write_bytes(b"spoiled")
    with pytest.raises(DataError, match="class 'dog' has 2 usable"):
        read(data)


def test_a_divided_class_needs_two_to_train_on(tmp_path, draw_set):
    draw_set(tmp_path / "train", count=1)
    draw_set(tmp_path / "test", count=4, first=50)
    with pytest.raises(DataError, match="class 'cat'"):
        read(tmp_path)
