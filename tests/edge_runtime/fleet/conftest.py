"""What the fleet's tests share."""

from __future__ import annotations

import pytest

from edge_runtime.fleet.collect import Device
from edge_runtime.live.sinks.device_report import DeviceFacts, DeviceReport

FACTS = DeviceFacts("0123", ("yard",), "0.1.0", "89abcdef", "stable", 3, "good", "", 51.0, 5 * 10**9)


@pytest.fixture
def make_device():
    """Return a function that makes a device that needs nothing, with some facts changed."""

    def make(node, online=True, at=1e9, **facts):
        report = DeviceReport(node, at, FACTS._replace(**facts), 9.5, 4.25, camera=True, drift=())
        return Device(f"edgewise/{node}", report, online)

    return make
