from __future__ import annotations

import pytest

from trainer.data.corrections import LEFT_OUT, corrected
from trainer.data.layout import scan
from trainer.errors import DataError


@pytest.fixture
def layout(data):
    return scan(data)


def write(tmp_path, *lines, header="path,label,looks_like"):
    file = tmp_path / "corrections.csv"
    file.write_text("\n".join([header, *lines]) + "\n")
    return file


def test_labels_are_changed_and_photographs_left_out_by_their_path(layout, tmp_path):
    first, second, third = (file.name for file in layout.files[:3])
    assert layout.files[0].label == "cat"
    result = corrected(layout, write(tmp_path, f"{first},dog,dog", f"{second},,dog"))
    by_name = {file.name: file for file in result.files}
    assert by_name[first].label == "dog"
    assert second not in by_name
    assert by_name[third].label == "cat"
    assert (result.problems[-1].path, result.problems[-1].reason) == (second, LEFT_OUT)
    assert len(result.files) == len(layout.files) - 1


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("cat/none.jpg,dog,", "line 2: 'cat/none.jpg' is not a photograph"),
        ("{first},owl,", "line 2: 'owl' is not a class; classes are cat, dog"),
        ("{first},dog,\n{first},cat,", "line 3: .* has two different labels"),
    ],
)
def test_a_wrong_line_is_named(layout, tmp_path, line, reason):
    with pytest.raises(DataError, match=reason):
        corrected(layout, write(tmp_path, line.format(first=layout.files[0].name)))


def test_a_file_without_the_columns_and_a_missing_file_are_named(layout, tmp_path):
    with pytest.raises(DataError, match="first line must name the columns path and label"):
        corrected(layout, write(tmp_path, header="file,class"))
    with pytest.raises(DataError, match="cannot be read"):
        corrected(layout, tmp_path / "none.csv")
