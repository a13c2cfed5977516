"""edge-run bench --operators writes a file from which times are predicted."""

from __future__ import annotations

import json
import shlex

import pytest

from edge_runtime.bench import operators, operators_worker
from edge_runtime.latency.features import amounts
from edge_runtime.latency.operator_times import LEAST_NETWORKS, read_operator_times
from edge_runtime.latency.probes import probes


@pytest.fixture
def few(monkeypatch):
    """Measure only the smallest networks, in this process."""
    chosen = sorted(probes(), key=lambda chain: sum(amounts(chain).values()))[:LEAST_NETWORKS]

    def ask(module, *words, timeout_s):
        assert module == operators_worker.__name__
        printed = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("builtins.print", printed.append)
            operators_worker.main(words)
        return json.loads(printed[0])

    for module in (operators, operators_worker):
        monkeypatch.setattr(module, "probes", lambda: chosen)
    monkeypatch.setattr(operators, "ask_child", ask)
    return chosen


def test_the_command_measures_every_network_and_writes_the_file(few, edge_run, tmp_path):
    path = tmp_path / "pi.json"
    code, out, err = edge_run("bench", "--operators", path, "--threads", "1", "--seconds", "0.0001")
    assert code == 0
    times = read_operator_times(path)
    assert times.networks == tuple(few)
    assert list(times.ms) == [1]
    assert 0 < times.ms[1][0] < times.ms[1][-1] < 1000
    assert out[0].startswith(f"1 thread: {len(few)} networks, the median pass 0% slower than the fastest")
    assert err[0] == "edge-run: 1 thread: pass 1 of 1"
    assert err[-1] == "next: edge-export latency model.int8.tflite --device pi.json"
    assert str(tmp_path) not in path.read_text()


def test_json_prints_the_content_of_the_file(few, edge_run, tmp_path):
    path = tmp_path / "pi.json"
    code, out, _ = edge_run("bench", "--operators", path, "--threads", "1,2", "--seconds", "0.0001", "--json")
    assert (code, json.loads(out[0])) == (0, json.loads(path.read_text()))
    assert list(json.loads(out[0])["networks"][0]["ms"]) == ["1", "2"]


def test_a_runtime_that_refuses_a_network_is_one_line_and_nothing_is_written(edge_run, tmp_path, monkeypatch):
    monkeypatch.setattr(operators, "ask_child", lambda *_, **__: {"error": "litert cannot load it"})
    code, _, err = edge_run("bench", "--operators", tmp_path / "pi.json", "--threads", "1")
    assert (code, err) == (1, ["edge-run: litert cannot load it"])
    assert list(tmp_path.iterdir()) == []


def test_without_a_runtime_the_error_names_the_extra(edge_run, tmp_path, monkeypatch):
    monkeypatch.setattr("edge_runtime.backends.names.find_spec", lambda _: None)
    code, _, err = edge_run("bench", "--operators", tmp_path / "pi.json")
    assert code == 1
    assert err == ["edge-run: backend litert is not installed; install it with: pip install 'edgewise[pi]'"]


def test_a_file_that_cannot_be_written_is_refused_before_the_measurement(refused, tmp_path):
    existing = tmp_path / "pi.json"
    existing.write_text("kept")
    assert "exists already" in refused("bench", "--operators", existing)
    assert existing.read_text() == "kept"
    assert "cannot be written" in refused("bench", "--operators", tmp_path / "none" / "pi.json")


@pytest.mark.parametrize(
    "words", ["", "bundle --operators pi.json", "--operators pi.json --keep", "--operators pi.json --submit x"]
)
def test_arguments_that_do_not_fit_together_are_a_usage_error(words, edge_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, err = edge_run("bench", *shlex.split(words))
    assert code == 2
    assert "--operators" in err[0]
