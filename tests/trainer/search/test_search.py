"""A search screens the cuts of a backbone, trains and exports candidates, and can be continued."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest

from trainer.cli import main
from trainer.search import search as search_module
from trainer.search.candidates import Trial
from trainer.search.screening import cross_validated

SIDE = 32


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Return a file with random weights of MobileNetV2."""
    keras.utils.set_random_seed(0)
    path = tmp_path_factory.mktemp("weights") / "random.weights.h5"
    keras.applications.MobileNetV2((SIDE, SIDE, 3), include_top=False, weights=None).save_weights(path)
    return path


@pytest.fixture
def command(data, weights, tmp_path):
    out = tmp_path / "found"
    return ["search", str(data), "--out", str(out), "--size", str(SIDE), "--weights", str(weights), "--no-cache"]


@pytest.mark.slow
def test_the_first_candidate_is_trained_and_exported_however_short_the_time(command, tmp_path, capsys):
    code = main([*command, "--minutes", "0.01", "--augment", "none"])
    captured = capsys.readouterr()
    assert code == 0, captured.err
    state = json.loads((tmp_path / "found" / "search.json").read_text())
    (trial,) = state["trials"]
    assert trial["ms"] > 0
    assert trial["kb"] * 1000 == (tmp_path / "found" / trial["name"] / "bundle" / "model.int8.tflite").stat().st_size
    assert (tmp_path / "found" / trial["name"] / "run" / "model.keras").is_file()
    assert state["best"] == trial["name"]
    whole = next(one for one in state["screened"] if not one["candidate"]["cut"])
    assert (whole["features"], whole["parameters"]) == (1280, 2_257_984)
    assert all(one["multiply_adds"] <= whole["multiply_adds"] for one in state["screened"] if one["candidate"]["cut"])
    assert trial["name"] in (tmp_path / "found" / "search.html").read_text()
    assert captured.out.startswith(f"{trial['name']} is the most accurate")
    assert f"found/{trial['name']}/bundle" in captured.err.splitlines()[-1]


def made(candidate, *_args, **_options):
    return Trial(candidate.name, 0.9, (0.8, 1.0), 0.9, 500.0, 2.0, 1.0, 3600.0, "")


def test_a_search_is_continued_and_one_with_other_settings_is_refused(command, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(search_module, "try_candidate", made)
    assert main([*command, "--json"]) == 0
    first = json.loads(capsys.readouterr().out)
    assert len(first["trials"]) == 1
    monkeypatch.setattr(search_module, "_screen", lambda *_: pytest.fail("it was screened already"))
    assert main([*command, "--json", "--minutes", "180"]) == 0
    second = json.loads(capsys.readouterr().out)
    assert second["trials"][:1] == first["trials"]
    assert len(second["trials"]) > 1
    assert main([*command, "--seed", "1"]) == 1
    assert "contains a search of other data or with other settings; pass --overwrite" in capsys.readouterr().err


def test_without_a_candidate_within_the_limits_the_exit_code_is_1(command, monkeypatch, capsys):
    monkeypatch.setattr(search_module, "try_candidate", made)
    assert main([*command, "--budget-ms", "0.5"]) == 1
    assert "None of the 1 trained candidate is within 0.5 ms" in capsys.readouterr().out


def test_a_folder_that_is_no_search_is_kept(command, tmp_path, capsys):
    (tmp_path / "found").mkdir()
    (tmp_path / "found" / "notes.txt").write_text("mine")
    assert main([*command, "--overwrite"]) == 1
    assert "found: exists and is not a search that can be continued" in capsys.readouterr().err
    assert (tmp_path / "found" / "notes.txt").read_text() == "mine"


def test_missing_weights_are_named_before_the_photographs_are_read(data, tmp_path, capsys):
    assert main(["search", str(data), "--out", str(tmp_path / "found"), "--weights", "absent.h5"]) == 1
    assert "absent.h5: no such file; pass --weights FILE, imagenet or none" in capsys.readouterr().err


def test_cross_validation_measures_a_linear_head_on_photographs_that_it_was_not_fitted_to():
    random = np.random.default_rng(0)
    targets = np.arange(200) % 2
    noise = random.normal(size=(200, 500))
    assert cross_validated(noise, targets, 0) == pytest.approx(0.5, abs=0.15)
    noise[:, 0] += 6 * targets
    noise[:, 1:] *= 0.1
    assert cross_validated(noise, targets, 0) > 0.9


def test_a_file_that_contains_no_times_of_a_device_is_named(command, tmp_path, capsys):
    (tmp_path / "pi.json").write_text("{}")
    assert main([*command, "--device", str(tmp_path / "pi.json")]) == 1
    assert "pi.json: " in capsys.readouterr().err
    assert not (tmp_path / "found").exists()
