from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from edge_runtime.errors import SpecError
from edge_runtime.live.rules_file import read_rules, write_rules
from edge_runtime.live.smoothing import Rules
from edge_runtime.tuning.search import Interval, Match, intervals, match, tune

PLAIN = Rules((0.5, 0.5), alpha=1.0, k=1, n=1, leave=1, margin=0.0)


def rows(*cats):
    """Return probabilities of cat and dog."""
    return [np.array([cat, 1 - cat], np.float32) for cat in cats]


def test_intervals_match_hand_computed_ones():
    found = intervals([0, 1, 2, 3, 4, 5], rows(0.9, 0.9, 0.1, 0.1, 0.9, 0.9), PLAIN)
    assert found == [Interval(0, 0, 2), Interval(1, 2, 4), Interval(0, 4, 5)]
    two_of_two = Rules((0.5, 0.5), alpha=1.0, k=2, n=2, leave=1, margin=0.0)
    assert intervals([0, 1, 2, 3], rows(0.9, 0.9, 0.1, 0.1), two_of_two) == [Interval(0, 1, 3), Interval(1, 3, 3)]


def test_a_match_starts_within_its_label_and_counts_once():
    labelled = [Interval(0, 10, 20), Interval(1, 30, 40)]
    predicted = [Interval(0, 11, 15), Interval(0, 16, 20), Interval(1, 29.6, 40), Interval(1, 50, 60)]
    found = match(predicted, labelled)
    assert (found.matched, found.precision, found.recall) == (2, 0.5, 1.0)
    assert found.delay_s == pytest.approx((1.0 - 0.4) / 2)
    assert found.f1 == pytest.approx(2 / 3)


def test_another_class_or_time_does_not_match():
    labelled = [Interval(0, 10, 20)]
    assert match([Interval(1, 11, 20)], labelled).matched == 0
    assert match([Interval(0, 9.4, 20)], labelled).matched == 0
    assert match([Interval(0, 20.1, 30)], labelled).matched == 0


def test_scores_are_zero_without_predictions_or_labels():
    assert (Match(0, 0, 3, 0.0).precision, Match(0, 0, 3, 0.0).f1) == (0.0, 0.0)
    assert Match(0, 2, 0, 0.0).recall == 0.0


def test_tuning_finds_the_events_of_a_flickering_video():
    """Tune on 100 frames of dog with single frames of cat, then cat: plain rules find many events, the best two."""
    generator = np.random.default_rng(0)
    cats = np.where(np.arange(200) < 100, 0.2, 0.8)
    cats[generator.choice(200, 30, replace=False)] = 0.5 + generator.uniform(-0.4, 0.4, 30)
    times = [index / 10 for index in range(200)]
    labelled = [Interval(1, 0, 10), Interval(0, 10, 20)]
    plain = match(intervals(times, rows(*cats), PLAIN), labelled)
    best = tune(times, rows(*cats), labelled)[0]
    assert plain.precision < 0.5
    assert (best.match.precision, best.match.recall) == (1.0, 1.0)
    assert best.match.delay_s < 1.0


def test_a_class_that_needs_its_own_threshold_gets_one():
    """Tune on a false cat at 0.72 and a true dog at 0.6: a common threshold accepts the cat or misses the dog."""
    cats = [0.72] * 20 + [0.5] * 20 + [0.4] * 20 + [0.5] * 20 + [0.9] * 20
    labelled = [Interval(1, 4, 6), Interval(0, 8, 10)]
    best = tune([index / 10 for index in range(100)], rows(*cats), labelled)[0]
    assert (best.match.precision, best.match.recall) == (1.0, 1.0)
    assert best.rules.thresholds[0] > 0.72 > best.rules.thresholds[1]


def test_rules_are_unchanged_after_writing_and_reading(tmp_path, spec):
    rules = Rules((0.5, 0.25, 0.75), alpha=0.4, k=4, n=7, leave=3, margin=0.05)
    write_rules(tmp_path / "rules.json", rules, spec)
    assert read_rules(str(tmp_path / "rules.json"), spec) == rules


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"k": 1.5}, "'k' must be an integer of at least 1, not 1.5"),
        ({"n": 0}, "'n' must be an integer of at least 1, not 0"),
        ({"alpha": 2}, "'alpha' must be a number from 0 to 1, not 2"),
        ({"margin": "wide"}, "'margin' must be a number from 0 to 1, not 'wide'"),
        ({"thresholds": [0.5]}, "'thresholds' must be a JSON object"),
        ({"thresholds": {"red": 0.5}}, "key 'green' is missing"),
        ({"thresholds": {"red": 2, "green": 0, "blue": 0}}, "'red' must be a number from 0 to 1, not 2"),
        ({"kk": 1}, "unknown key 'kk'"),
    ],
    ids=str,
)
def test_an_invalid_rules_file_is_refused_with_the_name_of_the_key(tmp_path, spec, change, message):
    path = tmp_path / "rules.json"
    write_rules(path, Rules((0.5, 0.5, 0.5)), spec)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(SpecError, match=message):
        read_rules(str(path), spec)


@pytest.fixture
def labelled_scene(photo, tmp_path):
    """Write forty frames at ten per second, red with one green frame and then blue, and their labelled events."""
    for index in range(40):
        color = "green" if index == 10 else "red" if index < 20 else "blue"
        photo(color, name=f"scene/{index:02}.png")
    path = tmp_path / "events.csv"
    path.write_text("label,start_s,end_s\nred,0,2\nblue,2,4\n")
    return tmp_path / "scene", path


def test_the_command_finds_rules_that_watch_accepts(bundle, labelled_scene, edge_run, tmp_path):
    scene, labels = labelled_scene
    rules = tmp_path / "rules.json"
    code, out, _ = edge_run("tune-decision", bundle, scene, "--labels", labels, "--out", rules, "--json")
    best = json.loads(out[0])
    assert (code, len(out)) == (0, 5)
    assert (best["precision"], best["recall"]) == (1.0, 1.0)
    _, out, _ = edge_run("watch", bundle, "--source", scene, "--csv", "--decision", rules)
    events = [(row["kind"], row["label"]) for row in csv.DictReader(out) if row["kind"] != "frame"]
    assert events == [("entered", "red"), ("left", "red"), ("entered", "blue"), ("left", "blue")]


def test_the_command_prints_a_table_and_overwrites_nothing(bundle, labelled_scene, edge_run, refused, tmp_path):
    scene, labels = labelled_scene
    code, out, _ = edge_run("tune-decision", bundle, scene, "--labels", labels, "--show", "3")
    assert (code, len(out)) == (0, 4)
    assert out[0].startswith("precision  recall  delay")
    (tmp_path / "rules.json").write_text("mine")
    message = refused("tune-decision", bundle, scene, "--labels", labels, "--out", tmp_path / "rules.json")
    assert "exists already" in message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("label,start_s\nred,1\n", "column 'end_s' is missing"),
        ("label,start_s,end_s\npink,1,2\n", "line 2: 'pink' is not one of the labels"),
        ("label,start_s,end_s\nred,one,2\n", "line 2: 'one' is not a time"),
        ("label,start_s,end_s\nred,3,2\n", "line 2: the event ends at 2 s, which is not after its start"),
        ("label,start_s,end_s\nred,3\n", "line 2: None is not a time"),
        ("label,start_s,end_s\n", "contains no event"),
        (None, "No such file"),
    ],
)
def test_invalid_labels_are_refused_with_the_line_number(bundle, labelled_scene, refused, content, message):
    scene, labels = labelled_scene
    labels.unlink() if content is None else labels.write_text(content)
    assert message in refused("tune-decision", bundle, scene, "--labels", labels)
