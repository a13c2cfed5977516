from __future__ import annotations

import json

import pytest

from edge_runtime.bench.operators import operator_report, passes_in, spread
from edge_runtime.errors import BundleError
from edge_runtime.latency.operator_times import read_operator_times
from edge_runtime.latency.probes import probes

STATE = {"processor": "a device", "load": 0.1, "temperature_c": None, "throttling": None}


@pytest.fixture(scope="module")
def report():
    count = len(probes())
    passes = {1: [[2.0] * count, [1.5] * count, [1.8] * count], 2: [[1.0] * count]}
    return operator_report("litert", STATE, STATE, passes)


@pytest.fixture
def written(report, tmp_path):
    """Give a function that writes the report with some values changed."""

    def write(change=lambda data: None):
        data = json.loads(json.dumps(report))
        change(data)
        path = tmp_path / "device.json"
        path.write_text(json.dumps(data))
        return path

    return write


def test_the_fastest_pass_counts(report, written):
    times = read_operator_times(written())
    assert times.networks == tuple(probes())
    assert (times.processor, times.backend) == ("a device", "litert")
    assert times.ms == {1: (1.5,) * len(probes()), 2: (1.0,) * len(probes())}
    assert spread(report, 1) == pytest.approx(0.2)  # the median of 2.0, 1.5 and 1.8, relative to 1.5
    assert report["passes"] == 3


def test_each_pass_gives_every_network_enough_time():
    assert [passes_in(seconds) for seconds in (0.01, 0.1, 0.4, 10)] == [1, 2, 10, 10]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda data: data.pop("networks"),
            "contains no times of operators; write it with: edge-run bench --operators",
        ),
        (lambda data: data.pop("backend"), "key 'backend' is missing"),
        (lambda data: data.update(surprise=1), "unknown key 'surprise'"),
        (lambda data: data.update(version=2), "version 2 is not 1"),
        (lambda data: data.update(networks=data["networks"][:10]), "at least 50 networks"),
        (lambda data: data["networks"][7].update(operators=[]), "has no operators"),
        (lambda data: data["networks"][7].update(operators=["CONV_2D"]), "is not the text of an operator"),
        (lambda data: data["networks"][7]["ms"].update({"1": -1}), "-1 is not a time in ms"),
        (lambda data: data["networks"][7]["ms"].update({"1": "1"}), "'1' is not a time in ms"),
        (lambda data: data["networks"][7]["ms"].pop("2"), "different numbers of threads"),
        (lambda data: data.update(networks=[7] * 60), "is damaged"),
        (lambda data: data.update(device=None), "is damaged"),
    ],
)
def test_a_file_of_another_kind_or_a_damaged_one_is_one_line(written, change, message):
    path = written(change)
    with pytest.raises(BundleError) as found:
        read_operator_times(path)
    assert message in str(found.value)
    assert str(found.value).startswith(f"{path}: ")
    assert "\n" not in str(found.value)
