from __future__ import annotations

import re
import shutil
import subprocess
import sys

import pytest

from edge_runtime.system.unit import unit


def settings(text):
    """Give the unit's settings; one that stands more than once is a list."""
    found = {}
    for line in text.splitlines():
        if match := re.fullmatch(r"([A-Za-z]+)=(.*)", line):
            found.setdefault(match[1], []).append(match[2])
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


def test_the_unit_runs_watch_is_supervised_and_held_in(tmp_path):
    found = settings(unit(tmp_path, "/dev/video0", ["--mqtt", "pi.local"], user="ann", memory_mb=400))
    assert found["ExecStart"] == (
        f"{sys.executable} -m edge_runtime.cli watch {tmp_path} --source /dev/video0 --mqtt pi.local"
    )
    wanted = {
        "Type": "notify",
        "WatchdogSec": "60",
        "Restart": "always",
        "User": "ann",
        "NoNewPrivileges": "yes",
        "ProtectSystem": "strict",
        "MemoryMax": "400M",
        "CPUQuota": "200%",
        "DevicePolicy": "closed",
        "SupplementaryGroups": "video",
        "CapabilityBoundingSet": "",
    }
    assert {name: found[name] for name in wanted} == wanted
    assert "char-video4linux rw" in found["DeviceAllow"]


def test_root_gets_an_identity_that_exists_only_while_it_runs(tmp_path):
    found = settings(unit(tmp_path, "0", user="root"))
    assert found["DynamicUser"] == "yes"
    assert "User" not in found


@pytest.mark.parametrize("options", [["--event-log", "/srv/log/events.db"], ["--event-log=/srv/log/events.db"]])
def test_a_folder_that_is_written_is_opened_for_writing(tmp_path, options):
    assert settings(unit(tmp_path, "0", options))["ReadWritePaths"] == "/srv/log"
    assert "ReadWritePaths" not in settings(unit(tmp_path, "0", ["--event-log", "events.db"]))


def test_no_word_is_read_as_more_than_a_word(tmp_path):
    text = unit(tmp_path, "rtsp://cam/%40?a=b c", ["--on-event", 'say "$EDGE_LABEL" 100%'])
    command = settings(text)["ExecStart"]
    assert '"rtsp://cam/%%40?a=b c"' in command
    assert '"say \\"$$EDGE_LABEL\\" 100%%"' in command
    assert len(unit(tmp_path, "x\n[Service]\nUser=root").split("\n[Service]\n")) == 2


@pytest.mark.parametrize(
    "extra", [[], ["--serve"], ["--user", "daemon", "--options=--on-event '/bin/true 100%' --json"]]
)
def test_systemd_finds_nothing_wrong_with_it(bundle, edge_run, tmp_path, extra):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze")
    code, out, _ = edge_run("service", bundle, "--source", "/dev/video0", *extra)
    assert code == 0
    path = tmp_path / "edgewise.service"
    path.write_text("\n".join(out) + "\n")
    done = subprocess.run(["systemd-analyze", "verify", path], capture_output=True, text=True, check=False)
    complaints = [line for line in done.stderr.splitlines() if "edgewise" in line]
    assert complaints == []


@pytest.mark.parametrize("extra", [["--options=--jsn"], ["--serve", "--options=--json"], ["--options=--k many"]])
def test_options_that_the_command_would_refuse_make_no_unit(bundle, edge_run, extra):
    code, out, err = edge_run("service", bundle, "--source", "0", *extra)
    assert (code, out) == (2, [])
    assert "error: " in err[-1]


def test_a_bundle_that_is_not_there_is_one_line(refused, tmp_path):
    assert "no such bundle folder" in refused("service", tmp_path / "none", "--source", "0")
