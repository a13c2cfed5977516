from __future__ import annotations

import json

import pytest

from edge_runtime.errors import BundleError, SpecError
from edge_runtime.storage.json_files import expect_keys, read_json, write_json, write_text


def test_what_is_written_is_read(tmp_path):
    data = {"a": [1, 2.5, None], "ä": "é"}
    write_json(tmp_path / "x.json", data)
    assert read_json(tmp_path / "x.json", SpecError) == data


def test_equal_data_gives_equal_bytes_and_no_other_file(tmp_path):
    for name in ("a.json", "b.json"):
        write_json(tmp_path / name, {"k": 1})
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "b.json"]


def test_a_number_that_json_does_not_have_leaves_the_old_file(tmp_path):
    path = tmp_path / "x.json"
    write_json(path, {"k": 1})
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, {"k": float("nan")})
    assert json.loads(path.read_text()) == {"k": 1}


def test_a_link_is_replaced_not_written_through(tmp_path):
    target = tmp_path / "precious"
    target.write_text("keep")
    link = tmp_path / "out.txt"
    link.symlink_to(target)
    write_text(link, "new")
    assert (target.read_text(), link.read_text()) == ("keep", "new")


def test_the_callers_error_type_is_raised(tmp_path):
    for error in (SpecError, BundleError):
        with pytest.raises(error, match="no such file"):
            read_json(tmp_path / "missing.json", error)


def test_deep_nesting_is_an_error_and_no_crash(tmp_path):
    path = tmp_path / "deep.json"
    path.write_text("[" * 200_000)
    with pytest.raises(SpecError, match="not readable as JSON"):
        read_json(path, SpecError)


def test_optional_keys_may_be_there_or_not():
    expect_keys({"a": 1}, ["a"], "x", SpecError, optional=["b"])
    expect_keys({"a": 1, "b": 2}, ["a"], "x", SpecError, optional=["b"])
    with pytest.raises(SpecError, match="unknown key 'c'; known keys are a, b"):
        expect_keys({"a": 1, "c": 2}, ["a"], "x", SpecError, optional=["b"])
