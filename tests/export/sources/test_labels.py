from __future__ import annotations

import pytest

from export.errors import ExportError
from export.sources.labels import match_outputs, read_labels


@pytest.mark.parametrize(
    "content",
    [
        b"cat\ndog\n",
        b"\xef\xbb\xbfcat\r\n\r\ndog\r\n",
        "cat\ndog\n".encode("utf-16"),
        b"0 cat\n1 dog\n",
        b"0: cat\n1: dog\n",
        b'["cat", "dog"]',
        b'{"1": "dog", "0": "cat"}',
    ],
    ids=["lines", "byte order mark", "UTF-16", "Teachable Machine", "numbered", "JSON list", "JSON object"],
)
def test_labels_are_read_in_the_forms_of_other_tools(tmp_path, content):
    (tmp_path / "labels.txt").write_bytes(content)
    assert read_labels(tmp_path / "labels.txt") == ("cat", "dog")


def test_numbers_that_are_no_positions_belong_to_the_labels(tmp_path):
    (tmp_path / "labels.txt").write_text("7 up\n5 stars\n")
    assert read_labels(tmp_path / "labels.txt") == ("7 up", "5 stars")


def test_a_file_of_another_kind_is_refused(tmp_path):
    (tmp_path / "labels.txt").write_bytes(b"\xff\xd8\xff\xe0 a JPEG \xa3")
    with pytest.raises(ExportError, match="not readable as a list of labels"):
        read_labels(tmp_path / "labels.txt")
    (tmp_path / "labels.json").write_text('{"cat": 0}')
    with pytest.raises(ExportError, match="JSON labels must be"):
        read_labels(tmp_path / "labels.json")


def test_a_background_that_is_one_too_many_is_removed():
    assert match_outputs(("background", "cat", "dog"), 2, "labels.txt") == ("cat", "dog")


def test_a_background_is_added_only_for_the_1001_outputs_of_an_imagenet_model():
    labels = tuple(map(str, range(1000)))
    assert match_outputs(labels, 1001, "labels.txt") == ("background", *labels)
    with pytest.raises(ExportError, match=r"labels.txt: 2 labels for a model of 3 classes"):
        match_outputs(("cat", "dog"), 3, "labels.txt")


def test_equal_labels_get_a_number():
    assert match_outputs(("crane", "crane"), 2, "labels.txt") == ("crane", "crane (2)")
