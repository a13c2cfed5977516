"""A machine with Debian's kernel, systemd and a camera: what edge-run does in it from its start to its last restart."""

from __future__ import annotations

import pytest
from emulated.camera_day import broken_promises

pytestmark = pytest.mark.job("camera day")


@pytest.fixture
def day(result, say):
    """What came of the day; the console is shown where a test fails."""
    day = result("camera day")
    print(day.console.text())
    return day


def test_the_machine_comes_to_the_end_of_its_day(day, say):
    assert day.console.ended
    assert "failed" not in day.reports
    say(f"the machine's day took {day.console.lines[-1][0]:.0f} s")


def test_the_doctor_finds_nothing_broken_and_the_camera(day):
    report = day.reports["doctor"]
    found = {item["check"]: (item["state"], item["says"]) for item in report["findings"]}
    assert report["code"] == 0, found
    assert {"broken", "warning"}.isdisjoint(state for state, _ in found.values()), found
    assert found["system"] == ("ok", "aarch64, 64-bit programs")
    for library in ("numpy", "pillow", "litert", "av", "uvicorn"):
        assert found[library][0] == "ok", found
    assert found["paho-mqtt"][0] == "note"  # it was not installed, and not everyone needs it
    cameras = [item for item in report["findings"] if item["check"] == "cameras"]
    assert cameras[0]["state"] == "ok"
    assert cameras[0]["says"].startswith("/dev/video0 (vivid")


def test_watch_names_each_photograph_that_comes_through_the_camera(day):
    assert len(set(day.shown.values())) == 2
    for photograph, label in day.shown.items():
        assert day.reports[f"names {photograph}"]["labels"][-3:] == [label] * 3


def test_a_stream_error_is_told_and_the_camera_is_opened_again(day):
    assert not list(broken_promises(day.reports["stream error"]["told"], next(iter(day.shown.values()))))


def test_a_camera_that_is_unplugged_is_told_as_lost(day):
    assert day.reports["disconnect"]["told"][-1] == "lost"


def test_a_camera_that_is_plugged_in_again_is_found_and_watch_then_ends_well(day):
    report = day.reports["return"]
    assert "recovered" in report["told"]
    assert report["told"][-1] == next(iter(day.shown.values()))
    assert report["code"] == 0, report["said"]
    assert "Traceback" not in report["said"]


def test_serve_answers_inside_the_machine(day):
    report, label = day.reports["serve"], next(iter(day.shown.values()))
    assert report["said"].startswith("edge-run: serving on http://127.0.0.1:")
    assert report["state"]["prediction"]["label"] == label
    assert report["health"] == {"status": "ok"}
    assert report["uploaded"]["label"] == label
    assert report["page"].lower().startswith("<!doctype html>")
    assert report["code"] == 0


def test_the_printed_unit_passes_systemds_own_check(day):
    assert day.reports["service"]["verified"] == [0, ""]


def test_the_printed_unit_starts_and_its_watchdog_is_fed(day):
    report = day.reports["service"]
    assert report["started"][0] == 0, report
    assert report["before"]["ActiveState"] == "active"
    assert report["before"]["NRestarts"] == "0"


def test_a_stalled_process_is_restarted_by_the_watchdog(day, say):
    report = day.reports["service"]
    assert report["after"]["ActiveState"] == "active", report
    assert int(report["after"]["NRestarts"]) == 1
    assert report["after"]["MainPID"] != report["before"]["MainPID"]
    assert "Watchdog timeout" in report["journal"]
    say(f"systemd restarted a stalled edge-run {report['restarted_s']:.0f} s after it stalled")


def test_a_runtime_that_ignores_the_cameras_error_is_found(day):
    found = list(broken_promises(day.reports["stream error ignored"]["told"], next(iter(day.shown.values()))))
    assert any(line.startswith("the camera's error was not told as a loss") for line in found)
