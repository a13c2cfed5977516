"""A device's report is read only if it has the form that devices write."""

from __future__ import annotations

import json

import pytest

from edge_runtime.live.sinks.device_report import MAX_BYTES, DeviceFacts, DeviceReport, Rates, ReportError, parse_report

FACTS = DeviceFacts("0123", ("yard", "north"), "0.1.0", "89abcdef", None, None, "", "", None, None)
REPORT = DeviceReport("porch", 1e9, FACTS, 9.5, 4.25, camera=False, drift=("darker than in training",))


def test_a_report_is_read_as_it_was_written():
    assert parse_report(json.dumps(REPORT.to_json()).encode()) == REPORT


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"format": 2}, "not a report in format 1"),
        ({"node": 7}, "'node' is not valid"),
        ({"node": "\x1b[2J"}, "'node' is not valid"),
        ({"detail": "x" * 1000}, "'detail' is not valid"),
        ({"tags": ["a"] * 100}, "'tags' is not valid"),
        ({"tags": "yard"}, "'tags' is not valid"),
        ({"fps": True}, "'fps' is not valid"),
        ({"at": None}, "'at' is not valid"),
        ({"camera": 1}, "'camera' is not valid"),
        ({"more": 1}, "not a report in format 1"),
    ],
)
def test_any_other_content_is_refused(change, reason):
    with pytest.raises(ReportError, match=reason):
        parse_report(json.dumps({**REPORT.to_json(), **change}).encode())


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"at": NaN}', b"\xff", b" " * (MAX_BYTES + 1)])
def test_what_is_no_report_is_refused(content):
    with pytest.raises(ReportError):
        parse_report(content)


def test_the_pace_is_that_since_the_last_report():
    rates = Rates()
    assert rates.taken() == (None, None)
    for inference_ms in (2.0, 9.0, 4.0):
        rates.seen(inference_ms)
    fps, inference_ms = rates.taken()
    assert fps > 0
    assert inference_ms == 4.0
    assert rates.taken() == (None, None)
