"""The command that runs on every event."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from edge_runtime.errors import SourceError
from edge_runtime.live.sinks.hook import Hook


@pytest.fixture
def script(tmp_path):
    """Return a function that returns the command for Python code, which can write to the file `out`."""

    def command(code):
        return [sys.executable, "-c", f"import os, sys, time; out = open(sys.argv[1], 'a'); {code}", tmp_path / "out"]

    return command


def test_the_command_gets_the_event_in_its_environment_and_the_frame_on_stdin(script, make_event, tmp_path):
    code = (
        "out.write('|'.join(os.environ['EDGE_' + key] for key in ('EVENT', 'LABEL', 'SOURCE', 'DURATION_S', 'FRAME')));"
        "out.write('|' + repr(sys.stdin.buffer.read()))"
    )
    hook = Hook(shlex.join(map(str, script(code))))
    hook.event(make_event(4, "left", label="$(touch x); cat", duration_s=2.5, thumbnail=b"jpeg"))
    hook.close()
    assert (tmp_path / "out").read_text() == "left|$(touch x); cat|cam|2.5|4|b'jpeg'"


def test_a_command_that_takes_too_long_is_killed_with_its_children_and_reported(
    make_event, wait_until, tmp_path, capfd
):
    pid_file = tmp_path / "child"
    hook = Hook(["sh", "-c", f"sleep 60 & echo $! > {pid_file}; wait"], timeout_s=0.5)
    hook.event(make_event())
    wait_until(lambda: hook.outbox.counts().dropped == 1)
    hook.close()
    child = Path("/proc", pid_file.read_text().strip(), "stat")
    wait_until(lambda: not child.exists() or ") Z " in child.read_text())  # Z: a zombie, which has ended
    assert "killed after 0.5 s" in capfd.readouterr().err


def test_a_failing_command_is_reported_and_not_run_again(script, make_event, wait_until, tmp_path, capfd):
    hook = Hook(script("out.write('x'); sys.exit(3)"))
    hook.event(make_event())
    wait_until(lambda: hook.outbox.counts().dropped == 1)
    hook.close()
    assert (tmp_path / "out").read_text() == "x"
    assert "exit code 3" in capfd.readouterr().err


def test_at_most_two_commands_run_in_parallel(script, make_event, tmp_path):
    code = "out.write('+'); out.flush(); time.sleep(0.2); out.write('-')"
    hook = Hook(script(code))
    for number in range(6):
        hook.event(make_event(number))
    hook.outbox.close(30)
    running = most = 0
    for sign in (tmp_path / "out").read_text():
        running += 1 if sign == "+" else -1
        most = max(most, running)
    assert hook.outbox.counts().delivered == 6
    assert most <= 2


@pytest.mark.parametrize("command", ["", "no-such-program-here", "'unclosed"])
def test_a_command_that_cannot_be_run_is_refused(command):
    with pytest.raises(SourceError, match="--on-event"):
        Hook(command)


def test_a_command_inherits_no_secrets(script, make_event, tmp_path, monkeypatch):
    for name in ("EDGE_RUN_TOKEN", "EDGE_RUN_MQTT_PASSWORD", "EDGE_RUN_WEBHOOK_TOKEN", "AWS_KEY", "NOTIFY_SOCKET"):
        monkeypatch.setenv(name, "s3cret")
    monkeypatch.setenv("LANG", "C.UTF-8")
    hook = Hook(script("out.write(repr(dict(os.environ)))"))
    hook.event(make_event())
    hook.close()
    inherited = (tmp_path / "out").read_text()
    assert "s3cret" not in inherited
    assert "C.UTF-8" in inherited
    assert "'PATH'" in inherited


def test_commands_that_still_run_at_the_end_are_killed_with_their_children(make_event, wait_until, tmp_path):
    pid_file = tmp_path / "child"
    hook = Hook(["sh", "-c", f"trap '' TERM HUP; sleep 60 & echo $! > {pid_file}; wait; wait"])
    hook.event(make_event())
    wait_until(lambda: pid_file.is_file() and pid_file.read_text().strip())
    hook.outbox.close(0.1)
    hook.close()
    child = Path("/proc", pid_file.read_text().strip(), "stat")
    wait_until(lambda: not child.exists() or ") Z " in child.read_text())
