"""edge-run in an emulated machine with Debian's kernel, systemd and a camera."""

from __future__ import annotations

import pytest
from emulated.camera_scenario import recovery_problems

pytestmark = pytest.mark.job("camera scenario")


@pytest.fixture
def scenario(result):
    """The result of the camera scenario; the console is shown if a test fails."""
    scenario = result("camera scenario")
    print(scenario.console.text())
    return scenario


def test_the_machine_completes_the_scenario(scenario, add_to_summary):
    assert scenario.console.ended
    assert "failed" not in scenario.reports
    add_to_summary(f"the camera scenario took {scenario.console.lines[-1][0]:.0f} s")


def test_the_doctor_finds_no_problem_and_finds_the_camera(scenario):
    report = scenario.reports["doctor"]
    found = {item["check"]: (item["state"], item["says"]) for item in report["findings"]}
    assert report["code"] == 0, found
    assert {"broken", "warning"}.isdisjoint(state for state, _ in found.values()), found
    assert found["system"] == ("ok", "aarch64, 64-bit programs")
    for library in ("numpy", "pillow", "litert", "av", "uvicorn"):
        assert found[library][0] == "ok", found
    assert found["paho-mqtt"][0] == "note"  # it is optional and not installed
    cameras = [item for item in report["findings"] if item["check"] == "cameras"]
    assert cameras[0]["state"] == "ok"
    assert cameras[0]["says"].startswith("/dev/video0 (vivid")


def test_watch_classifies_each_photograph_that_the_camera_shows(scenario):
    assert len(set(scenario.shown.values())) == 2
    for photograph, label in scenario.shown.items():
        assert scenario.reports[f"names {photograph}"]["labels"][-3:] == [label] * 3


def test_a_stream_error_is_reported_and_the_camera_is_reopened(scenario):
    assert not list(recovery_problems(scenario.reports["stream error"]["summary"], next(iter(scenario.shown.values()))))


def test_an_unplugged_camera_is_reported_as_lost(scenario):
    assert scenario.reports["disconnect"]["summary"][-1] == "lost"


def test_a_camera_that_is_plugged_in_again_is_reopened_and_watch_then_exits_with_0(scenario):
    report = scenario.reports["return"]
    assert "recovered" in report["summary"]
    assert report["summary"][-1] == next(iter(scenario.shown.values()))
    assert report["code"] == 0, report["stderr"]
    assert "Traceback" not in report["stderr"]


def test_serve_answers_requests_in_the_machine(scenario):
    report, label = scenario.reports["serve"], next(iter(scenario.shown.values()))
    assert report["stderr"].startswith("edge-run: serving on http://127.0.0.1:")
    assert report["state"]["prediction"]["label"] == label
    assert report["health"] == {"status": "ok"}
    assert report["uploaded"]["label"] == label
    assert report["page"].lower().startswith("<!doctype html>")
    assert report["code"] == 0


def test_the_printed_unit_passes_systemd_analyze_verify(scenario):
    assert scenario.reports["service"]["verified"] == [0, ""]


def test_the_printed_unit_starts_and_notifies_its_watchdog(scenario):
    report = scenario.reports["service"]
    assert report["started"][0] == 0, report
    assert report["before"]["ActiveState"] == "active"
    assert report["before"]["NRestarts"] == "0"


def test_a_stalled_process_is_restarted_by_the_watchdog(scenario, add_to_summary):
    report = scenario.reports["service"]
    assert report["after"]["ActiveState"] == "active", report
    assert int(report["after"]["NRestarts"]) == 1
    assert report["after"]["MainPID"] != report["before"]["MainPID"]
    assert "Watchdog timeout" in report["journal"]
    add_to_summary(f"systemd restarted a stalled edge-run {report['restarted_s']:.0f} s after it stalled")


def test_a_runtime_that_ignores_the_error_of_the_camera_is_detected(scenario):
    summary, label = scenario.reports["stream error ignored"]["summary"], next(iter(scenario.shown.values()))
    problems = list(recovery_problems(summary, label))
    assert any(line.startswith("the error of the camera was not reported as lost") for line in problems)
