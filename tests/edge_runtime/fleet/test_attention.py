"""The devices that need a person come first, each with the reason."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge_runtime.fleet.attention import NOTE, SOON, URGENT, by_urgency, needs

NEWEST = {"stable": 3}


@pytest.mark.parametrize(
    ("change", "facts", "online", "expected"),
    [
        ({}, {}, True, []),
        ({"at": -7200.0}, {}, False, [(URGENT, "offline, last report 2 hours ago")]),
        ({"at": -600.0}, {}, True, [(URGENT, "silent, last report 10 minutes ago")]),
        ({"camera": False}, {}, True, [(URGENT, "the camera sends no frames")]),
        ({"camera": False, "at": -600.0}, {}, True, [(URGENT, "the camera sends no frames")]),
        ({}, {"state": "taken back", "detail": "stable 4: slow"}, True, [(SOON, "taken back: stable 4: slow")]),
        ({"drift": ("out of focus",)}, {}, True, [(SOON, "drift: out of focus")]),
        ({}, {"temperature_c": 82.4}, True, [(SOON, "hot: 82 °C")]),
        ({}, {"free_bytes": 120_000_000}, True, [(SOON, "disk nearly full: 120 MB free")]),
        ({}, {"version": 2}, True, [(NOTE, "older than stable 3")]),
    ],
)
def test_what_a_device_needs(make_device, change, facts, online, expected):
    device = make_device("porch", online=online, **facts)
    device = replace(device, report=replace(device.report, **{**change, "at": 1e9 + change.get("at", 0.0)}))
    assert needs(device, NEWEST, 1e9) == expected


def test_the_most_urgent_device_comes_first(make_device):
    devices = [
        make_device("fine"),
        make_device("old", version=2),
        make_device("hot", temperature_c=90.0),
        make_device("gone", online=False),
    ]
    assert [device.report.node for device, _ in by_urgency(devices, 1e9)] == ["gone", "hot", "old", "fine"]
