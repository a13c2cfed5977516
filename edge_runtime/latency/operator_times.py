"""The times of small networks on a device, as a file: docs/latency.md describes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from edge_runtime.errors import BundleError
from edge_runtime.latency.operator import operator_of
from edge_runtime.storage.json_files import expect_keys, read_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from edge_runtime.latency.operator import Operator

VERSION = 1
KEYS = ("version", "measured_on", "device", "versions", "backend", "passes", "before", "after", "networks")
NETWORK_KEYS = ("operators", "ms", "median_ms")
LEAST_NETWORKS = 50  # fewer do not determine the time of each operator


class OperatorTimes(NamedTuple):
    """The times of small networks on a device.

    Attributes:
        processor: the device's processor.
        backend: the runtime that ran the networks.
        networks: the operators of each network.
        ms: for each number of threads, the time of each network, in ms, the fastest of many.

    """

    processor: str
    backend: str
    networks: tuple[tuple[Operator, ...], ...]
    ms: Mapping[int, tuple[float, ...]]


def read_operator_times(path: Path) -> OperatorTimes:
    """Read a file that `edge-run bench --operators` wrote. Raise BundleError."""
    data = read_json(path, BundleError)
    if "networks" not in data:
        raise BundleError(f"{path}: contains no times of operators; write it with: edge-run bench --operators FILE")
    expect_keys(data, KEYS, str(path), BundleError)
    if data["version"] != VERSION:
        raise BundleError(f"{path}: version {data['version']!r} is not {VERSION}, which this version of edgewise reads")
    try:
        return _parsed(data)
    except (ValueError, TypeError, KeyError, AttributeError) as problem:
        raise BundleError(f"{path}: is damaged: {problem}; write it again with: edge-run bench --operators") from None


def _parsed(data: Mapping[str, Any]) -> OperatorTimes:
    rows = data["networks"]
    if not isinstance(rows, list) or len(rows) < LEAST_NETWORKS:
        raise ValueError(f"'networks' must be a list of at least {LEAST_NETWORKS} networks")
    for row in rows:
        expect_keys(row, NETWORK_KEYS, "a network", ValueError)  # type: ignore[arg-type]
    networks = tuple(tuple(map(operator_of, row["operators"])) for row in rows)
    if not all(networks):
        raise ValueError("a network has no operators")
    counts = list(rows[0]["ms"])
    if not counts or any(list(row["ms"]) != counts for row in rows):
        raise ValueError("the networks were measured with different numbers of threads")
    ms = {_positive_int(count): tuple(_positive(row["ms"][count]) for row in rows) for count in counts}
    return OperatorTimes(str(data["device"]["processor"]), str(data["backend"]), networks, ms)


def _positive_int(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"{text!r} is not a number of threads")
    return int(text)


def _positive(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or value <= 0:
        raise ValueError(f"{value!r} is not a time in ms")
    return float(value)
