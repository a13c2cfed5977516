from __future__ import annotations

import os
import socket

import pytest

from edge_runtime.system.notification import heartbeat, notify, ready, stopping


@pytest.fixture(params=["path", "abstract"])
def supervisor(request, tmp_path, monkeypatch):
    """A socket such as systemd's; gives a function that reads one datagram or None."""
    name = str(tmp_path / "notify") if request.param == "path" else f"\0edgewise-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(name)
        listener.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", name.replace("\0", "@"))

        def read():
            try:
                return listener.recv(1000).decode()
            except BlockingIOError:
                return None

        yield read


def test_readiness_is_notified(supervisor):
    ready()
    assert supervisor() == "READY=1"


def test_the_end_is_reported(supervisor):
    stopping()
    assert supervisor() == "STOPPING=1"


def test_the_watchdog_is_fed_some_times_in_its_period_and_not_at_every_frame(supervisor, monkeypatch):
    monkeypatch.setenv("WATCHDOG_USEC", "8000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    now = [0.0]
    beat = heartbeat(lambda: now[0])
    fed = []
    for number in range(240):  # eight seconds at 30 frames a second
        now[0] = number / 30
        beat()
        fed.append(supervisor())
    assert [number / 30 for number, told in enumerate(fed) if told == "WATCHDOG=1"] == [0, 2, 4, 6]


@pytest.mark.parametrize(("period", "pid"), [("", ""), ("8000000", "1"), ("x", "")])
def test_a_process_that_is_not_watched_feeds_nothing(supervisor, monkeypatch, period, pid):
    monkeypatch.setenv("WATCHDOG_USEC", period)
    if pid:
        monkeypatch.setenv("WATCHDOG_PID", pid)
    heartbeat()()
    assert supervisor() is None


def test_without_a_supervisor_or_with_a_dead_one_nothing_happens(monkeypatch, tmp_path):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    assert not notify("READY=1")


def test_a_supervisor_that_does_not_read_never_holds_up_the_camera(supervisor):
    for _ in range(10_000):
        notify("WATCHDOG=1")
