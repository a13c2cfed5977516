"""A device whose times are known exactly."""

from __future__ import annotations

import pytest

from edge_runtime.latency.features import amounts
from edge_runtime.latency.operator_times import OperatorTimes
from edge_runtime.latency.probes import probes

NS = 1e-6  # ms


def exact_ms(chain):
    """The time on a device on which each amount of work of any operator takes a nanosecond."""
    return sum(amounts(chain).values()) * NS


@pytest.fixture(scope="session")
def exact():
    """Give the function that returns the exact time of a chain of operators on the device."""
    return exact_ms


@pytest.fixture(scope="session")
def device():
    """A device with exact times for one thread, and half of them for two."""
    networks = tuple(probes())
    one = tuple(map(exact_ms, networks))
    return OperatorTimes("a device, 2 cores", "litert", networks, {1: one, 2: tuple(ms / 2 for ms in one)})
