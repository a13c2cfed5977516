from __future__ import annotations

import pytest
from PIL import Image

from export.errors import ExportError
from export.sources.images import find_images


def draw(folder, count=2):
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        Image.new("RGB", (8, 8), (index, 0, 0)).save(folder / f"{index}.png")


def test_images_in_one_folder_per_label_have_labels(tmp_path):
    draw(tmp_path / "cat")
    draw(tmp_path / "dog", 3)
    paths, classes, labelled = find_images(tmp_path, ("cat", "dog"))
    assert labelled
    assert sorted((path.parent.name, int(index)) for path, index in zip(paths, classes, strict=True)) == [
        *[("cat", 0)] * 2,
        *[("dog", 1)] * 3,
    ]


def test_a_folder_that_is_no_label_is_refused_by_name_although_others_match(tmp_path):
    draw(tmp_path / "cat")
    draw(tmp_path / "dgo")
    with pytest.raises(ExportError, match=r"names that are not labels \('dgo'; the labels are 'cat', 'dog'\)"):
        find_images(tmp_path, ("cat", "dog"))


def test_images_directly_in_the_folder_have_no_labels(tmp_path):
    draw(tmp_path)
    (tmp_path / "empty").mkdir()
    assert not find_images(tmp_path, ("cat", "dog"))[2]
