"""The webhook, tested with a receiver on loopback."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from edge_runtime.errors import SourceError
from edge_runtime.live.sinks.webhook import Webhook


@pytest.fixture
def receiver():
    """A receiver on loopback that answers with `codes` in turn, then with 204; `got` contains the requests."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.server.got.append((dict(self.headers), body))
            code = self.server.codes.pop(0) if self.server.codes else 204
            if code == "slow":
                time.sleep(2)
                code = 204
            self.send_response(code)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.got, server.codes = [], []
    server.url = f"http://127.0.0.1:{server.server_port}/hook"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_an_event_is_posted_as_json_with_the_token(receiver, make_event, monkeypatch):
    hook = Webhook(receiver.url, token="s3cret")
    hook.event(make_event(3))
    hook.close()
    ((headers, body),) = receiver.got
    assert body == make_event(3).to_json()
    assert headers["Authorization"] == "Bearer s3cret"


def test_a_temporary_failure_is_retried(receiver, make_event, wait_until):
    receiver.codes[:] = [503, 429]
    hook = Webhook(receiver.url, first_pause_s=0.01)
    hook.event(make_event(1))
    wait_until(lambda: hook.outbox.counts().delivered == 1)
    hook.close()
    assert len(receiver.got) == 3


@pytest.mark.parametrize("code", [400, 404, 302])
def test_a_refusal_or_a_redirection_is_not_retried(receiver, make_event, wait_until, code):
    receiver.codes[:] = [code]
    hook = Webhook(receiver.url, first_pause_s=0.01)
    hook.event(make_event(1))
    hook.event(make_event(2))
    wait_until(lambda: hook.outbox.counts()[:2] == (1, 1))
    hook.close()
    assert [body["frame"] for _, body in receiver.got] == [1, 2]


def test_an_event_is_dropped_after_the_last_attempt(receiver, free_port, make_event, wait_until, capfd):
    receiver.codes[:] = ["slow", "slow"]
    hook = Webhook(receiver.url, first_pause_s=0.01, attempts=2, timeout_s=0.1)
    absent = Webhook(f"http://127.0.0.1:{free_port}", first_pause_s=0.01, attempts=2)
    for sink in (hook, absent):
        sink.event(make_event(1))
        wait_until(lambda sink=sink: sink.outbox.counts().dropped == 1)
        sink.close()
    refused = f"http://127.0.0.1:{free_port}: Connection refused (events waiting: 1, dropped so far: 0)"
    assert f"edge-run: webhook: {refused}" in capfd.readouterr().err.splitlines()


@pytest.mark.parametrize("url", ["ftp://x", "file:///etc/passwd", "nonsense", "http://", "http://user:pw@host"])
def test_an_invalid_address_is_refused(url):
    with pytest.raises(SourceError, match="--webhook"):
        Webhook(url)


@pytest.mark.parametrize("url", ["http://me:s3cret@127.0.0.1/x", "https://me:s3/cret@h/", "http://h:s3cret", "s3cret"])
def test_a_refused_address_is_not_printed_with_its_secrets(url):
    with pytest.raises(SourceError, match="--webhook") as raised:
        Webhook(url)
    assert "cret" not in str(raised.value)


def test_reports_show_only_the_host_because_the_path_may_be_a_password(free_port, make_event, capfd):
    hook = Webhook(f"http://127.0.0.1:{free_port}/services/s3cret?key=s3cret", attempts=1)
    hook.event(make_event())
    hook.close()
    report = capfd.readouterr().err
    assert f"http://127.0.0.1:{free_port}: Connection refused" in report
    assert "s3cret" not in report
