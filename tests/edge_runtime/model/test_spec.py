from __future__ import annotations

import json
from dataclasses import replace

import pytest

from edge_runtime.errors import SpecError
from edge_runtime.model.spec import ModelSpec


def test_json_there_and_back_is_the_same_spec(spec, tmp_path):
    path = tmp_path / "spec.json"
    spec.write(path)
    assert ModelSpec.read(path) == spec
    assert ModelSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec


def test_thresholds_are_zero_for_every_label_unless_said(make_spec):
    assert make_spec().thresholds == (0.0, 0.0, 0.0)


def test_an_unknown_key_is_named(spec):
    with pytest.raises(SpecError, match=r"here: unknown key 'mean'; known keys are"):
        ModelSpec.from_json({**spec.to_json(), "mean": 0.5}, "here")


@pytest.mark.parametrize("key", ["version", "height", "width", "labels", "output", "resize", "color", "thresholds"])
def test_a_missing_key_is_named(spec, key):
    data = spec.to_json()
    del data[key]
    with pytest.raises(SpecError, match=f"key '{key}' is missing"):
        ModelSpec.from_json(data)


def test_a_spec_of_another_version_is_refused(spec):
    with pytest.raises(SpecError, match="version 3 is not 1 or 2"):
        ModelSpec.from_json({**spec.to_json(), "version": 3})


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("height", 0, "'height' must be a whole number"),
        ("height", True, "'height' must be a whole number"),
        ("width", 224.0, "'width' must be a whole number"),
        ("width", 5000, "'width' must be a whole number"),
        ("output", "logits", "'output' must be one of"),
        ("output", "sigmoid", "sigmoid requires two labels, not 3"),
        ("resize", "squash", "'resize' must be one of stretch, crop, pad"),
        ("color", "BGR", "'color' must be one of RGB, gray"),
        ("crop_fraction", 0, "'crop_fraction' must be above 0"),
        ("crop_fraction", 1.01, "'crop_fraction' must be above 0"),
        ("crop_fraction", float("nan"), "'crop_fraction' must be above 0"),
        ("labels", ["only"], "at least two classes"),
        ("labels", ["a", "b", "a"], "contains 'a' twice"),
        ("labels", ["a", "b", "c\nd"], "printable text"),
        ("labels", ["a", "b", " "], "printable text"),
        ("labels", ["a", "b", 3], "printable text"),
        ("labels", "abc", "'labels' must be a list"),
        ("thresholds", [0.5], "1 values for 3 labels"),
        ("thresholds", [0.5, 0.5, 1.5], "'thresholds' must be in"),
        ("thresholds", [0.5, 0.5, "high"], "'thresholds' must be in"),
        ("thresholds", None, "'thresholds' must be a list"),
    ],
)
def test_an_unusable_value_is_refused_by_key(spec, key, value, reason):
    with pytest.raises(SpecError, match=reason):
        ModelSpec.from_json({**spec.to_json(), key: value})


@pytest.mark.parametrize("text", ["", "{", "[]", '"spec"', "\xff"])
def test_a_file_that_is_no_json_object_is_refused_by_name(tmp_path, text):
    path = tmp_path / "spec.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(SpecError, match=r"spec\.json"):
        ModelSpec.read(path)


def test_a_spec_without_familiarity_is_written_in_the_version_that_older_readers_know(spec, make_spec):
    assert spec.to_json()["version"] == 1
    assert "min_familiarity" not in spec.to_json()
    familiar = make_spec(min_familiarity=0.5)
    assert (familiar.to_json()["version"], familiar.to_json()["min_familiarity"]) == (2, 0.5)
    assert ModelSpec.from_json(familiar.to_json()) == familiar


@pytest.mark.parametrize("version", [True, 1.0, "1", None, 0])
def test_a_version_must_be_a_whole_number(spec, version):
    with pytest.raises(SpecError, match="is not 1 or 2"):
        ModelSpec.from_json({**spec.to_json(), "version": version})


@pytest.mark.parametrize("value", [0, 1, 1.5, True, "0.5", None, float("nan")])
def test_the_least_familiarity_is_a_number_between_0_and_1(make_spec, value):
    with pytest.raises(SpecError, match="'min_familiarity' must be"):
        ModelSpec.from_json({**make_spec(min_familiarity=0.5).to_json(), "min_familiarity": value})


def test_a_sigmoid_has_no_familiarity(make_spec):
    with pytest.raises(SpecError, match="requires the output softmax"):
        make_spec(labels=("a", "b"), output="sigmoid", min_familiarity=0.5)


def test_a_grey_model_has_one_channel(spec):
    grey = replace(spec, color="gray")
    assert (spec.channels, grey.channels) == (3, 1)
    assert ModelSpec.from_json(grey.to_json()) == grey
