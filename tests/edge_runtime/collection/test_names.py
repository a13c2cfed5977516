"""Names of pictures and class folders."""

from __future__ import annotations

import hashlib
import math

import pytest

from edge_runtime.collection.errors import CollectionError
from edge_runtime.collection.names import (
    burst_of,
    check_labels,
    is_label,
    is_picture_name,
    new_burst,
    nothing_label,
    picture_name,
)


def test_a_name_has_the_time_in_utc_the_burst_and_the_digest_of_the_content():
    name = picture_name(1_795_585_253.9821, "b0a1b2c", b"content", "jpg")
    assert name == f"20261125-054053-982_b0a1b2c_{hashlib.sha256(b'content').hexdigest()[:8]}.jpg"
    assert is_picture_name(name)
    assert burst_of(name) == "b0a1b2c"


@pytest.mark.parametrize("at", [math.inf, -math.inf, math.nan, 1e20])
def test_a_clock_that_is_wrong_still_gives_a_valid_name(at):
    assert is_picture_name(picture_name(at, new_burst(), b"", "png"))


@pytest.mark.parametrize(
    "name",
    [
        "",
        "../20261125-024053-982_b0a1b2c_ed7002b4.jpg",
        "20261125-024053-982_b0a1b2c_ed7002b4.jpg\n",
        "20261125-024053-982_b0a1b2c_ed7002b4.JPG",
        "20261125-024053-982_b0a1b2c_ed7002b4.json",
        "20261125-024053-982_b0a1b2_ed7002b4.jpg",
        "\u0662\u0660\u0662\u06661125-024053-982_b0a1b2c_ed7002b4.jpg",
        ".20261125-024053-982_b0a1b2c_ed7002b4.jpg",
    ],
)
def test_other_names_are_not_names_of_pictures(name):
    assert not is_picture_name(name)
    assert burst_of(name) == ""


@pytest.mark.parametrize("label", ["", ".", "..", ".hidden", "a/b", "a\\b", "a\nb", "a\0b", " a", "a" * 101, "\ud800"])
def test_a_label_that_cannot_be_a_folder_is_refused(label):
    assert not is_label(label)


@pytest.mark.parametrize("labels", [["cat", "Cat"], ["a/b"], [], [""], ["é", "e\u0301"], ["x"] * 2])
def test_labels_that_cannot_be_folders_of_one_folder_are_refused(labels):
    with pytest.raises(CollectionError):
        check_labels(labels)


def test_labels_are_normalized():
    assert check_labels([" cat", "e\u0301te\u0301", "no class"]) == ("cat", "été", "no class")


def test_the_class_of_other_pictures_is_the_one_that_training_added():
    assert nothing_label(["cat", "dog"]) == "nothing"
    assert nothing_label(["background", "cat"]) == "background"
    assert nothing_label(["background", "nothing"]) == "nothing"
