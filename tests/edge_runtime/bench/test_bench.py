from __future__ import annotations

import getpass
import json
import os
import socket

import pytest

from edge_runtime import Bundle, Classifier
from edge_runtime.backends.names import installed
from edge_runtime.bench.measure import best, configurations, thread_counts
from edge_runtime.bench.worker import percentiles
from edge_runtime.classify.kept_choice import keep_choice, kept_choice, make_choice


@pytest.fixture(autouse=True)
def settings(tmp_path, monkeypatch):
    """Use a configuration folder for this test only."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config"


def result(artifact, threads, p50, accuracy=0.98):
    return {
        "artifact": artifact,
        "backend": "litert",
        "threads": threads,
        "accuracy": accuracy,
        "total_ms": {"p50": p50},
    }


def test_every_configuration_is_measured_in_its_own_process_and_reported(bundle, edge_run, settings):
    code, out, err = edge_run("bench", bundle, "--json", "--keep", "--seconds", "0.05", "--threads", "1")
    report = json.loads(out[0])
    measured = {(item["artifact"], item["backend"]) for item in report["results"]}
    assert code == 0
    assert measured == {configuration[:2] for configuration in configurations(Bundle.open(bundle), [1])}
    assert len(err) == len(measured) + 1
    assert err[-1] == f"next: edge-run watch {bundle} --source 0"
    for item in report["results"]:
        assert "error" not in item
        assert item["cold_start_ms"] > item["inference_ms"]["p50"]
        assert item["inference_ms"]["p50"] <= item["inference_ms"]["p90"] <= item["inference_ms"]["p99"]
        assert item["runs"] >= 10
        assert item["images_per_s"] > 0
        assert 10 < item["peak_mb"] < 400
    assert {"processor", "temperature_c", "throttling", "load"} == set(report["before"]) == set(report["after"])
    assert report["best"] in report["results"]
    assert report["kept"].startswith(f"{settings}/edgewise/choices/")
    saved, winner = kept_choice(Bundle.open(bundle)), report["best"]
    assert (saved.artifact, saved.backend, saved.threads) == (winner["artifact"], winner["backend"], 1)


def test_the_saved_choice_is_used_unless_an_option_selects_another(bundle, edge_run, photo):
    if not installed(("onnx",)):
        pytest.skip("needs the onnx runtime")
    keep_choice(Bundle.open(bundle), make_choice("float32.onnx", "onnx", 1))
    assert Classifier.open(bundle).artifact.name == "float32.onnx"
    assert Classifier.open(bundle, artifact="int8.tflite").artifact.name == "int8.tflite"
    assert Classifier.open(bundle, backend="litert").artifact.name == "int8.tflite"
    assert edge_run("classify", bundle, photo("red"))[0] == 0


def test_a_failed_configuration_is_reported_and_never_the_best(
    bundle_of, spec, models, edge_run, tmp_path, monkeypatch
):
    monkeypatch.setattr("edge_runtime.bench.measure.installed", lambda _: ("litert",))
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(b"no model at all" * 100)
    folder = bundle_of(spec, {"int8.tflite": models["int8.tflite"], "float32.tflite": broken})
    code, out, _ = edge_run("bench", folder, "--json", "--seconds", "0.05", "--threads", "1")
    report = json.loads(out[0])
    assert code == 0
    failed = {item["artifact"] for item in report["results"] if "error" in item}
    assert (failed, report["best"]["artifact"]) == ({"float32.tflite"}, "int8.tflite")


@pytest.mark.parametrize(
    "change",
    [
        {"artifact": "float16.tflite"},
        {"backend": "onnx"},
        {"backend": "nonsense"},
        {"threads": 0},
        {"threads": "1"},
        {"threads": 100_000},
        {"runtime": "0.0.1"},
        {"processor": "another"},
        {"version": 2},
        {"surprise": 1},
    ],
)
def test_a_saved_choice_that_does_not_apply_is_ignored(bundle, change):
    opened = Bundle.open(bundle)
    path = keep_choice(opened, make_choice("float32.tflite", "litert", 1))
    assert kept_choice(opened).artifact == "float32.tflite"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    assert kept_choice(opened) is None
    assert Classifier.open(bundle).artifact.name == "int8.tflite"


@pytest.mark.parametrize("content", ["", "[]", "{", "null", '{"version": 1}'])
def test_a_damaged_choice_is_ignored(bundle, content):
    opened = Bundle.open(bundle)
    keep_choice(opened, make_choice("float32.tflite", "litert", 1)).write_text(content)
    assert kept_choice(opened) is None


def test_a_choice_applies_to_one_bundle_only(bundle, edit_manifest):
    keep_choice(Bundle.open(bundle), make_choice("float32.tflite", "litert", 1))
    edit_manifest(bundle, lambda manifest: manifest["versions"].update(keras="3"))
    assert kept_choice(Bundle.open(bundle)) is None


def test_a_choice_saved_by_root_applies_to_other_users(bundle, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "root"))
    monkeypatch.setenv("XDG_CONFIG_DIRS", f"{tmp_path / 'xdg'}:/nowhere")
    path = keep_choice(Bundle.open(bundle), make_choice("float32.tflite", "litert", 1))
    assert path.is_relative_to(tmp_path / "xdg")
    assert path.stat().st_mode & 0o444 == 0o444
    monkeypatch.delenv("HOME")
    assert kept_choice(Bundle.open(bundle)).artifact == "float32.tflite"


def test_a_users_own_choice_has_priority_over_the_systems(bundle, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path / "xdg"))
    opened = Bundle.open(bundle)
    own = keep_choice(opened, make_choice("float32.tflite", "litert", 1))
    system = tmp_path / "xdg" / own.relative_to(tmp_path / "config")
    system.parent.mkdir(parents=True)
    system.write_text(own.read_text().replace("float32", "int8"))
    assert kept_choice(opened).artifact == "float32.tflite"
    own.unlink()
    assert kept_choice(opened).artifact == "int8.tflite"


def test_without_a_home_folder_the_default_artifact_is_used(bundle, refused, monkeypatch):
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.delenv("HOME", raising=False)
    assert Classifier.open(bundle).artifact.name == "int8.tflite"


def test_the_best_is_the_fastest_that_is_accurate_enough():
    slow, fast, wrong = result("a", 1, 10.0), result("b", 1, 5.0), result("c", 1, 1.0, accuracy=0.9)
    assert best([slow, fast, wrong], 0.01) is fast
    assert best([slow, fast, wrong], 0.1) is wrong
    unknown = result("d", 1, 4.0, accuracy=None)
    assert best([slow, fast, unknown], 0.01) is unknown
    assert best([{**fast, "error": "no"}], 0.01) is None


def test_between_equally_fast_results_fewer_threads_are_better():
    one, two = result("a", 1, 5.1), result("a", 2, 5.0)
    assert best([two, one], 0.01) is one
    assert best([result("a", 1, 6.0), two], 0.01) is two


def test_percentiles_use_the_nearest_rank():
    assert percentiles([float(number) for number in range(100)]) == {"p50": 50.0, "p90": 90.0, "p99": 99.0}
    assert percentiles([7.0]) == {"p50": 7.0, "p90": 7.0, "p99": 7.0}
    assert thread_counts()[0] == 1


def strings_in(data):
    """Yield every string in a JSON value, including keys."""
    if isinstance(data, str):
        yield data
    elif isinstance(data, dict):
        yield from data
        for value in data.values():
            yield from strings_in(value)
    elif isinstance(data, list):
        for value in data:
            yield from strings_in(value)


def bench(edge_run, bundle, file):
    return edge_run("bench", bundle, "--seconds", "0.05", "--threads", "1", "--submit", file)


def test_a_submitted_row_contains_device_versions_and_all_figures(bundle, edge_run, tmp_path):
    code, _, err = bench(edge_run, bundle, tmp_path / "rows.json")
    (row,) = json.loads((tmp_path / "rows.json").read_text())["rows"]
    assert code == 0
    assert err[-2].endswith("1 row, ready to be published")
    assert {"processor", "architecture", "memory_mb", "governor", "kernel", "c_library"} == set(row["device"])
    assert {"python", "edgewise", "numpy", "pillow"} <= set(row["versions"])
    assert row["bundle"]["input"] == [24, 32]
    assert set(row["bundle"]["artifact_bytes"]) == set(Bundle.open(bundle).artifacts)
    assert {"load", "temperature_c", "throttling"} == set(row["before"]) == set(row["after"])
    measured = {(item["artifact"], item["backend"], item["threads"]) for item in row["results"]}
    assert measured == set(configurations(Bundle.open(bundle), [1]))
    assert all(item["inference_ms"]["p50"] > 0 for item in row["results"])


def test_a_submitted_row_contains_no_path_host_or_user_name(bundle_of, spec, models, edge_run, tmp_path, monkeypatch):
    monkeypatch.setattr("edge_runtime.bench.measure.installed", lambda _: ("litert",))
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(b"no model at all" * 100)
    folder = bundle_of(spec, {"int8.tflite": models["int8.tflite"], "float32.tflite": broken})
    bench(edge_run, folder, tmp_path / "rows.json")
    found = list(strings_in(json.loads((tmp_path / "rows.json").read_text())))
    assert "failed" in found
    assert not [text for text in found if "/" in text]
    assert not {socket.gethostname(), getpass.getuser()} & set(found)


def test_a_second_run_replaces_its_row_and_another_device_adds_one(bundle, edge_run, tmp_path, monkeypatch):
    file = tmp_path / "rows.json"
    bench(edge_run, bundle, file)
    bench(edge_run, bundle, file)
    assert len(json.loads(file.read_text())["rows"]) == 1
    monkeypatch.setattr("edge_runtime.bench.measure.processor", lambda: "Raspberry Pi 5 Model B Rev 1.0, 4 cores")
    bench(edge_run, bundle, file)
    rows = json.loads(file.read_text())["rows"]
    assert [row["device"]["processor"].startswith("Raspberry Pi 5") for row in rows] == [False, True]


@pytest.mark.parametrize(
    "content", ["", "[]", '{"version": 1}', '{"version": 2, "rows": []}', '{"version": 1, "rows": 3}']
)
def test_an_existing_file_without_rows_is_refused_before_the_measurement(content, bundle, refused, tmp_path):
    file = tmp_path / "notes.json"
    file.write_text(content)
    message = refused("bench", bundle, "--submit", file)
    assert str(file) in message
    assert file.read_text() == content


def test_an_unwritable_file_is_refused_before_the_measurement(bundle, refused, tmp_path):
    assert "cannot be written" in refused("bench", bundle, "--submit", tmp_path / "none" / "rows.json")
