"""Malformed, oversized and slow requests, all to loopback: the server refuses them and continues to serve."""

from __future__ import annotations

import http.client
import io
import json
import os
import random
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from PIL import Image
from png import plain_png

from edge_runtime.web.protection import connections, uploads


def raw(port, data, timeout_s=5.0):
    """Send bytes unchanged and return the response; empty if the connection fails."""
    received = b""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout_s) as peer:
        peer.settimeout(timeout_s)
        peer.sendall(data)
        peer.shutdown(socket.SHUT_WR)
        while block := peer.recv(65_536):
            received += block
    return received


def post(port, body):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("POST", "/classify", body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def malformed():
    rng = random.Random(1)
    yield from (rng.randbytes(rng.randrange(1, 2000)) for _ in range(30))
    yield from (f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode() for path in traversals())
    yield b"GET / HTTP/9.9\r\n\r\n"
    yield b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 10_000 + b"\r\n"
    yield b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    yield b"POST /classify HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -5\r\n\r\n"
    yield b"POST /classify HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99999999999999999999\r\n\r\nx"
    chunked = b"POST /classify HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n"
    yield chunked + b"Content-Length: 5\r\n\r\n0\r\n\r\n"
    yield chunked + b"\r\nZZZ\r\n"
    yield b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: edgewise=\xff\xfe;;;=\r\n\r\n"
    yield b"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"
    yield b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    yield b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    yield b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"  # a TLS greeting
    yield b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 200
    for method in ("PUT", "DELETE", "TRACE", "CONNECT", "OPTIONS", "PATCH", "X" * 500):
        yield f"{method} /classify HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


def traversals():
    for start in ("/", "/static/", "/events/"):
        for up in ("../" * 8, "..%2f" * 8, "%2e%2e/" * 8, "..\\" * 8, "....//" * 8, "%252e%252e%252f" * 8):
            yield f"{start}{up}etc/passwd"
    yield from (
        "//etc/passwd",
        "/static//etc/passwd",
        "/%00",
        "/static/page.js%00.css",
        "/events/-1.jpg",
        "/events/1e9.jpg",
    )
    yield from ("/events/" + "9" * 300 + ".jpg", "http://evil.example/", "*", "/?token=%ff%fe")


def images():
    rng = random.Random(2)
    for form in ("JPEG", "PNG", "GIF", "BMP", "WEBP"):
        stream = io.BytesIO()
        Image.effect_noise((80, 60), 50).convert("RGB").save(stream, form)
        valid = stream.getvalue()
        for _ in range(12):
            damaged = bytearray(valid)
            for _ in range(rng.randrange(1, 40)):
                damaged[rng.randrange(len(damaged))] = rng.randrange(256)
            yield bytes(damaged[: rng.randrange(1, len(damaged))])
    yield from (plain_png(side, side) for side in (5_000, 20_000, 65_000, 2**31 - 1))
    yield from (b"", b"\0" * 1000, b"\xff\xd8\xff", b"<svg onload=alert(1)>", b"%PDF-1.4", b"../../etc/passwd")
    yield b"\xff\xd8" + os.urandom(uploads.MAX_BYTES)


def memory_mb():
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


@pytest.fixture
def short_timeouts(monkeypatch):
    """Shorten the server's time limits, so that the test is fast."""
    monkeypatch.setattr(connections, "HEADER_S", 0.5)
    monkeypatch.setattr(connections, "WRITE_S", 0.5)
    monkeypatch.setattr("edge_runtime.web.protection.uploads.MAX_BODY_S", 0.5)
    monkeypatch.setattr(uploads.read_body, "__kwdefaults__", {"max_bytes": uploads.MAX_BYTES, "timeout_s": 0.5})


def test_the_server_still_serves_after_more_than_200_hostile_requests(
    serving, live, image_bytes, short_timeouts, capfd
):
    server = serving()
    live(server.hub)
    assert post(server.port, image_bytes("blue"))[0] == 200
    before_mb, sent = memory_mb(), 0
    for data in malformed():
        answer = raw(server.port, data)
        assert b"root:" not in answer
        assert not answer or int(answer.split(b" ", 2)[1]) in {200, 303, 400, 403, 404, 405, 413, 422, 426, 431}, data[
            :80
        ]
        sent += 1
    for body in images():
        with suppress(ConnectionError):  # the server may refuse a body before it has received all of it
            status, _ = post(server.port, body)
            assert status in {200, 413, 415, 422}
        sent += 1
    slow = slow_peers(server.port)
    sent += len(slow)
    assert sent >= 200
    status, content = post(server.port, image_bytes("green"))  # while the slow clients are still connected
    assert (status, json.loads(content)["label"]) == (200, "green")
    for peer in slow:
        peer.close()
    assert memory_mb() - before_mb < 150
    assert "Traceback" not in capfd.readouterr().err


def slow_peers(port):
    """Open more connections than are allowed: some send nothing, some part of a header, some part of a body."""
    openings = [
        b"",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ",
        b"POST /classify HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\nx",
    ]
    peers = []
    for number in range(connections.MAX_CONNECTIONS + 26):
        peers.append(socket.create_connection(("127.0.0.1", port), 5))
        with suppress(OSError):
            peers[-1].sendall(openings[number % 2])
    for _ in range(uploads_at_once := 3):
        peers.append(socket.create_connection(("127.0.0.1", port), 5))
        peers[-1].sendall(openings[2])
    assert uploads_at_once < 4  # one of four uploads remains available to other clients
    return peers


@pytest.mark.parametrize(
    "opening", [b"", b"GET / HT", b"POST /classify HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\nx"]
)
def test_a_client_that_sends_slowly_is_disconnected(serving, short_timeouts, opening):
    server = serving()
    with socket.create_connection(("127.0.0.1", server.port), 20) as peer:
        ended = threading.Event()

        def drip():
            with suppress(OSError):
                peer.sendall(opening)
                while not ended.wait(0.2):
                    peer.sendall(b"a")

        dripping = threading.Thread(target=drip)
        dripping.start()
        started = time.monotonic()
        with suppress(OSError):
            while peer.recv(65_536):
                pass
        ended.set()
        dripping.join()
    assert time.monotonic() - started < 10


def test_a_client_that_does_not_read_is_disconnected(serving, short_timeouts):
    server = serving()
    with socket.create_connection(("127.0.0.1", server.port), 20) as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        pipelined = b"GET /static/page.js HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        with suppress(OSError):
            for _ in range(3000):
                peer.sendall(pipelined)
        with suppress(OSError):
            time.sleep(1.0)
            while peer.recv(65_536):
                pass
        peer.settimeout(10)
        with suppress(ConnectionError):
            assert peer.recv(1) == b""


def test_an_upload_that_is_too_large_is_refused_before_it_is_read(serving):
    server = serving()
    head = f"POST /classify HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {uploads.MAX_BYTES + 1}\r\n\r\n"
    assert raw(server.port, head.encode()).startswith(b"HTTP/1.1 413")


def test_uploads_are_not_written_to_the_disk(serving, image_bytes, tmp_path, monkeypatch):
    server = serving()
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    monkeypatch.setenv("TMPDIR", str(empty))
    for body in (image_bytes("red"), image_bytes("red", size=(2000, 1500), form="BMP"), b"x" * 3_000_000):
        post(server.port, body)
    assert list(empty.iterdir()) == []
