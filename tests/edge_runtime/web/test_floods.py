"""Floods of connections and requests: honest clients are served, and the log stays short."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from edge_runtime.web.protection import logs
from edge_runtime.web.protection.connections import MAX_CONNECTIONS

TOKEN = "correct-horse-battery-staple"
HONEST = {"Authorization": f"Bearer {TOKEN}"}
LOGIN = b"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n"


def status(port, path="/state", method="GET", body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=3)
    try:
        connection.request(method, path, body, headers)
        return connection.getresponse().status
    except OSError as problem:
        return type(problem).__name__
    finally:
        connection.close()


def open_files():
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def honest_share(port, seconds=2.0):
    """Return the share of honest requests that are answered, and that of the health checks."""
    ends = time.monotonic() + seconds
    states, checks = [], []
    while time.monotonic() < ends:
        states.append(status(port, **HONEST) == 200)
        checks.append(status(port, "/healthz") == 200)
        time.sleep(0.02)
    assert len(states) >= 10
    return sum(states) / len(states), sum(checks) / len(checks)


@pytest.fixture
def guarded(serving, make_prediction):
    server = serving(token=TOKEN, stale_s=60.0)
    server.hub.prediction(make_prediction())
    return server


@pytest.fixture
def flood(guarded):
    """Return a function that keeps a number of connections open, each with some bytes sent."""
    with ExitStack() as stack:
        stopped = threading.Event()
        stack.callback(stopped.set)

        def start(count, data):
            def attack():
                while not stopped.is_set():
                    with suppress(OSError), socket.create_connection(("127.0.0.1", guarded.port), 2) as peer:
                        peer.sendall(data)
                        peer.settimeout(0.5)
                        while not stopped.is_set() and peer.recv(1000):
                            pass
                    stopped.wait(0.05)

            for _ in range(count):
                thread = threading.Thread(target=attack)
                thread.start()
                stack.callback(thread.join)

        yield start
        stopped.set()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GET /sta",
        LOGIN % 4000,
        LOGIN % 4000 + b"token=",
        b"POST /classify HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 4000000\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    ],
    ids=["silent", "half a request line", "login", "half a login", "upload", "keep-alive", "events"],
)
def test_connections_without_a_token_do_not_lock_others_out(guarded, flood, data, capfd):
    flood(MAX_CONNECTIONS + 16, data)
    states, checks = honest_share(guarded.port)
    assert states >= 0.95
    assert checks == 1.0
    assert len(capfd.readouterr().err) < 2000


def test_a_burst_of_connections_stays_within_the_bound(guarded, capfd):
    others = open_files()
    peers = [socket.socket() for _ in range(400)]
    most, ends = 0, time.monotonic() + 2
    for peer in peers:
        peer.setblocking(False)
        peer.connect_ex(("127.0.0.1", guarded.port))
    while time.monotonic() < ends:
        most = max(most, open_files() - others - len(peers))
        assert status(guarded.port, **HONEST) == 200
    for peer in peers:
        peer.close()
    assert most <= MAX_CONNECTIONS + 64  # some are accepted before the bound closes others
    assert "Traceback" not in capfd.readouterr().err


def test_wrong_tokens_are_slowed_and_reported_once(guarded, monkeypatch, capfd):
    monkeypatch.setattr(logs, "_REFUSED", logs.Seldom())
    answers, ends = [], time.monotonic() + 2.5

    def guess():
        while time.monotonic() < ends:
            answers.append(status(guarded.port, "/login", "POST", "token=guess"))

    threads = [threading.Thread(target=guess) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(answers) - {"TimeoutError"} <= {401, 429}
    assert answers.count(401) <= 10 + 8  # the burst, and one per second of those that wait
    assert status(guarded.port, "/healthz") == 200
    report = capfd.readouterr().err
    assert report.count("a wrong token was refused, from 127.0.0.1") == 1
    assert "guess" not in report


def test_wrong_tokens_of_others_do_not_lock_a_known_address_out(guarded):
    assert status(guarded.port, **HONEST) == 200
    for number in range(11):
        status(guarded.port, "/login", "POST", f"token=guess{number}")
    assert status(guarded.port, **HONEST) == 200


def test_the_right_token_is_accepted_after_wrong_ones(guarded):
    for number in range(10):
        assert status(guarded.port, Authorization=f"Bearer guess{number}") == 401
    assert status(guarded.port, **HONEST) == 200
