from __future__ import annotations

import re
import shutil
import subprocess
import sys

import pytest

from edge_runtime.system import confinement
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
    assert found["User"] == "edgewise"  # the same in the unit that updates the model: both write the models folder


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


SERVER = ["--serve", "--options=--host 0.0.0.0 --mqtt broker --webhook https://hooks.example.org"]


@pytest.mark.parametrize("user", ["root", "daemon"])
@pytest.mark.parametrize("extra", [["--source", "/dev/video0"], ["--source", "rtsp://cam/s", *SERVER]])
def test_the_exposure_is_at_most_1_5(bundle, edge_run, tmp_path, user, extra):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze")
    _, out, _ = edge_run("service", bundle, "--user", user, *extra)
    path = tmp_path / "edgewise.service"
    path.write_text("\n".join(out) + "\n")
    command = ["systemd-analyze", "security", "--offline=yes", "--threshold=15", "--no-pager", path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-300:]


def test_repeated_crashes_are_limited(tmp_path):
    found = settings(unit(tmp_path, "0"))
    seconds, burst, pause = (int(found[name]) for name in ("StartLimitIntervalSec", "StartLimitBurst", "RestartSec"))
    assert burst * (pause + 5) < seconds  # a process that crashes within five seconds reaches the limit
    assert burst * (pause + 60) > seconds  # a camera that is given up after 60 seconds does not


def test_files_with_secrets_become_credentials(tmp_path):
    options = [
        "--token-file",
        "/etc/edgewise/token",
        "--mqtt-password-file=/etc/edgewise/mqtt",
        "--webhook",
        "@/etc/hook",
    ]
    found = settings(unit(tmp_path, "@/etc/edgewise/camera", options, subcommand="serve"))
    assert found["LoadCredential"] == [
        "source:/etc/edgewise/camera",
        "token-file:/etc/edgewise/token",
        "mqtt-password-file:/etc/edgewise/mqtt",
        "webhook:/etc/hook",
    ]
    assert found["ExecStart"].endswith(
        "--source @%d/source --token-file %d/token-file --mqtt-password-file %d/mqtt-password-file "
        "--webhook @%d/webhook"
    )


@pytest.mark.parametrize(
    "words",
    [
        ["--source", "rtsp://admin:hunter2@cam/s"],
        ["--source", "http://cam/v?user=admin&pwd=hunter2"],
        ["--source", "0", "--options=--webhook https://x/?key=hunter2"],
        ["--source", "0", "--options=--mqtt=mqtt://me:hunter2@broker"],
    ],
)
def test_a_password_makes_no_unit(refused, bundle, words):
    report = refused("service", bundle, *words)
    assert "write the address into a file" in report
    assert "hunter2" not in report


@pytest.mark.parametrize(
    ("source", "options", "subcommand", "allowed"),
    [
        ("/dev/video0", [], "watch", "localhost"),
        ("rtsp://10.0.0.4:554/s", ["--mqtt", "10.0.0.5:1884"], "watch", "localhost 10.0.0.4 10.0.0.5"),
        ("http://[fd00::1]/s", [], "serve", "localhost fd00::1"),
        ("rtsp://cam/s", [], "watch", None),
        ("0", ["--mqtt", "broker"], "watch", None),
        ("0", ["--host=0.0.0.0"], "serve", None),
        ("0", ["--on-event", "curl"], "watch", None),
        ("@/etc/camera", [], "watch", None),
    ],
)
def test_only_the_addresses_that_are_needed_can_be_reached(tmp_path, source, options, subcommand, allowed):
    found = settings(unit(tmp_path, source, options, subcommand=subcommand))
    assert found.get("IPAddressAllow") == allowed
    assert ("IPAddressDeny" in found) == (allowed is not None)


def test_home_folders_are_hidden_except_for_what_is_needed(monkeypatch, tmp_path):
    monkeypatch.setattr(confinement, "HOMES", (tmp_path,))
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "ann/venv"))
    for name in ("ann/venv", "ann/my bundle", "ann/log"):
        (tmp_path / name).mkdir(parents=True)
    lines = unit(tmp_path / "ann/my bundle", "0", ["--event-log", f"{tmp_path}/ann/log/e.db"]).splitlines()
    assert "ProtectHome=tmpfs" in lines
    assert f"BindReadOnlyPaths={tmp_path}/ann/venv" in lines
    assert f'BindReadOnlyPaths="{tmp_path}/ann/my bundle"' in lines
    assert f"BindPaths={tmp_path}/ann/log" in lines
    monkeypatch.setattr(confinement, "HOMES", ())
    assert "ProtectHome=yes" in unit(tmp_path / "b", "0").splitlines()


@pytest.mark.parametrize("extra", [["--options=--jsn"], ["--serve", "--options=--json"], ["--options=--k many"]])
def test_options_that_the_command_would_refuse_make_no_unit(bundle, edge_run, extra):
    code, out, err = edge_run("service", bundle, "--source", "0", *extra)
    assert (code, out) == (2, [])
    assert "error: " in err[-2]


def test_a_bundle_that_is_not_there_is_one_line(refused, tmp_path):
    assert "no such bundle folder" in refused("service", tmp_path / "none", "--source", "0")


UPDATE = "--repository https://example.org/releases --models models"


@pytest.fixture
def followed(bundle, tmp_path):
    """Return MODELS/current of a models folder with one version."""
    models = tmp_path / "models"
    (models / "versions").mkdir(parents=True)
    (models / "versions" / "stable-1-0123").symlink_to(bundle)
    (models / "current").symlink_to("versions/stable-1-0123")
    return models / "current"


def test_the_unit_follows_the_current_model_and_may_write_what_it_finds_about_releases(edge_run, followed):
    code, out, _ = edge_run("service", followed, "--source", "0", "--user", "daemon")
    found = settings("\n".join(out))
    assert code == 0
    assert f" watch {followed} " in found["ExecStart"]
    assert found["ReadWritePaths"] == str(followed.parent)


def test_a_folder_that_is_written_is_not_also_bound_for_reading(monkeypatch, followed):
    monkeypatch.setattr(confinement, "HOMES", (followed.parents[1],))
    lines = confinement.home_lines([str(followed)], [str(followed.parent)])
    assert f"BindPaths={followed.parent}" in lines
    assert not [line for line in lines if line.startswith("BindReadOnlyPaths=") and "versions" in line]


def test_the_update_runs_once_as_the_user_of_the_classifier(edge_run, tmp_path):
    text = f"{UPDATE} --shadow 30m --root '{tmp_path / 'ro ot.json'}'"
    code, out, _ = edge_run("service", "--update", text, "--user", "root")
    found = settings("\n".join(out))
    assert code == 0
    assert found["Type"] == "oneshot"
    assert found["ExecStart"].endswith(f' --shadow 30m --root "{tmp_path / "ro ot.json"}"')
    assert int(found["TimeoutStartSec"]) > 30 * 60
    assert found["User"] == "edgewise"
    assert "ReadWritePaths" not in found  # the models folder is in the state folder
    _, out, _ = edge_run("service", "--update", f"--repository {tmp_path} --models /srv/models", "--user", "daemon")
    found = settings("\n".join(out))
    assert found["ReadWritePaths"] == "/srv/models"
    assert found["IPAddressDeny"] == "any"  # the repository is a folder


def test_the_timer_starts_the_update_and_not_all_devices_at_once(edge_run):
    code, out, _ = edge_run("service", "--update", UPDATE, "--timer", "2h")
    found = settings("\n".join(out))
    assert code == 0
    assert found["OnUnitInactiveSec"] == "7200"
    assert found["RandomizedDelaySec"] == "720"
    assert found["WantedBy"] == "timers.target"


def test_systemd_finds_nothing_wrong_with_the_update_and_its_exposure_is_at_most_1_5(edge_run, tmp_path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze")
    for name, extra in (("edgewise-update.service", ()), ("edgewise-update.timer", ("--timer", "1h"))):
        _, out, _ = edge_run("service", "--update", UPDATE, *extra)
        (tmp_path / name).write_text("\n".join(out) + "\n")
    command = ["systemd-analyze", "verify", tmp_path / "edgewise-update.timer", tmp_path / "edgewise-update.service"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert [line for line in done.stderr.splitlines() if "edgewise" in line] == []
    unit_file = tmp_path / "edgewise-update.service"
    command = ["systemd-analyze", "security", "--offline=yes", "--threshold=15", "--no-pager", unit_file]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-300:]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ((), "BUNDLE and --source S are needed, or --update TEXT"),
        (("bundle", "--update", UPDATE), "neither BUNDLE nor --source"),
        (("bundle", "--source", "0", "--timer", "1h"), "--timer needs --update TEXT"),
        (("--update", f"{UPDATE} --every 1h"), "pass --timer TIME"),
        (("--update", "--models models"), "--repository"),
    ],
)
def test_arguments_that_name_no_unit_are_refused(edge_run, words, reason):
    code, out, err = edge_run("service", *words)
    assert code == 2
    assert out == []
    assert reason in " ".join(err)
