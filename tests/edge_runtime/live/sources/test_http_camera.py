"""HTTP cameras as they are: servers that do not follow the rules, snapshots, endless parts, and clear messages."""

from __future__ import annotations

import base64
import io
import time
import tracemalloc

import pytest
from mjpeg_server import jpeg
from PIL import Image
from raw_http_server import RawHttpServer

from edge_runtime.errors import SourceError
from edge_runtime.live.freshness import check
from edge_runtime.live.records import SettingsError
from edge_runtime.live.sources import mjpeg
from edge_runtime.live.sources.opening import open_source

MULTIPART = b"Content-Type: multipart/x-mixed-replace; boundary=frame\r\n"
OK, END = b"HTTP/1.0 200 OK\r\n", b"\r\n"
PICTURES = [jpeg((220, 30, 20), number, (64, 48)) for number in range(4)]
TYPE = b"Content-Type: image/jpeg\r\n"


def parts(before=b"--frame\r\n", headers=TYPE, after=b"\r\n", *, length=0, newline=b"\r\n", first=None):
    """Return the parts of a stream; `length` is added to the length of each, None writes none."""
    body = b""
    for number, picture in enumerate(PICTURES):
        size = b"" if length is None else b"Content-Length: %d\r\n" % (len(picture) + length)
        start = before if number or first is None else first
        body += start + headers + size + b"\r\n" + picture + after
    return body.replace(b"\r\n", newline) if newline != b"\r\n" else body


def chunked(body, size=100):
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


SERVERS = {
    "as it should be": OK + MULTIPART + END + parts(),
    "boundary with two dashes in the header": OK + MULTIPART.replace(b"=frame", b"=--frame") + END + parts(),
    "quoted boundary": OK + MULTIPART.replace(b"=frame", b'="frame"') + END + parts(),
    "boundary without dashes": OK + MULTIPART + END + parts(b"frame\r\n"),
    "no boundary before the first part": OK + MULTIPART + END + parts(first=b""),
    "first part's header among those of the response": OK + MULTIPART + parts(first=b""),
    "image/jpg": OK + MULTIPART + END + parts(headers=b"Content-Type: image/jpg\r\n"),
    "parts without a type": OK + MULTIPART + END + parts(headers=b""),
    "no length": OK + MULTIPART + END + parts(length=None),
    "wrong length": OK + MULTIPART + END + parts(length=7),
    "line feeds only": OK + MULTIPART + END + parts(newline=b"\n", length=None),
    "no line end after a picture": OK + MULTIPART + END + parts(after=b""),
    "a text comes first": OK + MULTIPART + END + b"--frame\r\nContent-Type: text/plain\r\n\r\nhello\r\n" + parts(),
    "no type": OK + END + parts(),
    "a type that says nothing": OK + b"Content-Type: application/octet-stream\r\n\r\n" + parts(),
    "multipart/mixed": OK + b"Content-Type: Multipart/Mixed; boundary=frame\r\n\r\n" + parts(),
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + MULTIPART + END + chunked(parts()),
    "JPEGs one after the other": OK + b"Content-Type: video/x-motion-jpeg\r\n\r\n" + b"".join(PICTURES),
    "a preview after each picture": OK + MULTIPART + END + parts(after=jpeg((0, 0, 0), 9, (16, 16)) + b"\r\n"),
    "padding after each picture": OK + MULTIPART + END + parts(after=bytes(500) + b"\r\n"),
}


@pytest.fixture
def serve():
    """Return a function that starts a server with an answer: bytes, or a function of the request and `send`."""
    servers = []

    def start(answer):
        if isinstance(answer, bytes):
            servers.append(RawHttpServer(lambda _request, send: send(answer)))
        else:
            servers.append(RawHttpServer(answer))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


def frames(url, count=None, **settings):
    settings.setdefault("timeout_s", 3.0)
    with open_source(url, **settings) as source:
        return [frame for _, frame in zip(range(count or 1000), source, strict=False)]


@pytest.mark.parametrize("server", SERVERS)
def test_every_frame_of_a_server_with_quirks_arrives(serve, server):
    found = frames(serve(SERVERS[server]).url)
    expected = [picture.replace(b"\r\n", b"\n") for picture in PICTURES] if "line feeds" in server else PICTURES
    assert [frame.image for frame in found] == expected
    assert [frame.number for frame in found] == [0, 1, 2, 3]
    assert all(check(frame, None) is None for frame in found)


def test_a_picture_that_is_cut_off_is_damaged_and_the_next_one_arrives(serve):
    body = parts()
    at = body.index(PICTURES[1])
    found = frames(serve(OK + MULTIPART + END + body[: at + len(PICTURES[1]) - 30] + body[at + len(PICTURES[1]) :]).url)
    assert [bool(frame.flaw) for frame in found] == [False, True, False, False]
    assert found[1].flaw == "unexpected marker FF D8 in its compressed data"


@pytest.mark.parametrize("length", [b"", b"Content-Length: 2000000000\r\n"])
def test_a_part_that_never_ends_is_damaged_and_takes_limited_memory(serve, monkeypatch, length):
    monkeypatch.setattr(mjpeg, "MOST_PICTURE_BYTES", 1_000_000)

    def endless(_request, send):
        send(OK + MULTIPART + END + b"--frame\r\n" + TYPE + length + b"\r\n" + PICTURES[0][:-2])
        for _ in range(40):
            send(bytes(100_000))
        send(b"\r\n--frame\r\n" + TYPE + b"\r\n" + PICTURES[1])

    tracemalloc.start()
    found = frames(serve(endless).url, timeout_s=30.0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [frame.flaw for frame in found] == ["more than 1 MB", ""]
    assert peak < 6_000_000


def test_a_server_that_sends_data_but_no_picture_is_an_error_in_time(serve):
    def trickle(_request, send):
        send(OK + MULTIPART + END + b"--frame\r\n" + TYPE + b"\r\n" + PICTURES[0][:-2])
        for _ in range(100):
            time.sleep(0.05)
            send(b"\0")

    with pytest.raises(SourceError, match=r"sends data, but no picture for 0.3 s"):
        frames(serve(trickle).url, timeout_s=0.3)


def test_a_snapshot_address_is_requested_repeatedly(serve):
    numbers = iter(range(100))

    def snapshot(_request, send):
        picture = jpeg((220, 30, 20), next(numbers))
        send(OK + TYPE + b"Content-Length: %d\r\n\r\n" % len(picture) + picture)

    server, began_s = serve(snapshot), time.monotonic()
    found = frames(server.url, 3, fps=10)
    assert len({frame.image for frame in found}) == 3
    assert (len(server.requests), time.monotonic() - began_s >= 0.2) == (3, True)
    assert all(check(frame, None) is None for frame in found)


def test_a_snapshot_that_never_ends_is_refused(serve, monkeypatch):
    monkeypatch.setattr("edge_runtime.live.sources.http_camera.MOST_PICTURE_BYTES", 1_000_000)
    server = serve(
        lambda _request, send: [send(OK + TYPE + END + PICTURES[0]), *(send(bytes(100_000)) for _ in range(99))]
    )
    with pytest.raises(SourceError, match="cannot be read: a picture of more than 1 MB"):
        frames(server.url)


def test_the_login_of_an_address_is_sent_and_only_to_the_camera(serve):
    def answer(request, send):
        if "Authorization: Basic " not in request:
            send(b'HTTP/1.0 401 X\r\nWWW-Authenticate: Basic realm="x"\r\nContent-Length: 0\r\n\r\n')
        else:
            send(SERVERS["as it should be"])

    server = serve(answer)
    assert len(frames(server.url.replace("//", "//owner:p@ss/w%3A@"))) == 4
    assert base64.b64encode(b"owner:p@ss/w:").decode() in server.requests[-1]
    with pytest.raises(SettingsError, match="requires another user name or password"):
        frames(server.url)
    other = serve(b"HTTP/1.0 302 X\r\nLocation: " + server.url.encode() + b"\r\n\r\n" + bytes(100))
    with pytest.raises(SettingsError):
        frames(other.url.replace("//", "//owner:secret@"))
    assert not any(base64.b64encode(b"owner:secret").decode() in request for request in server.requests)


PNG = io.BytesIO()
Image.new("RGB", (8, 8)).save(PNG, "PNG")
ANSWERS = {
    "a login page": (
        OK + b"Content-Type: text/html; charset=utf-8\r\n\r\n<html>",
        r"is a page \(text/html\), not a stream",
    ),
    "a PNG": (OK + b"Content-Type: image/png\r\n\r\n" + PNG.getvalue(), "sends image/png; use the address of a JPEG"),
    "a PNG called JPEG": (OK + TYPE + END + PNG.getvalue(), "the picture is not a JPEG"),
    "404": (b"HTTP/1.0 404 X\r\n\r\n", r"the camera has no such page \(404\); check the path"),
    "403": (b"HTTP/1.0 403 X\r\n\r\n", r"refuses access \(403\)"),
    "500": (b"HTTP/1.0 500 Broken\r\n\r\n", "the camera responds 500 Broken"),
    "not HTTP": (b"SSH-2.0-OpenSSH\r\n", "the answer is not HTTP; check the port"),
    "nothing": (b"", "the camera closed the connection"),
    "no JPEG": (OK + MULTIPART + END + b"--frame\r\n\r\nnothing\r\n" * 9, "contains no JPEG; use the address"),
    "a redirection for ever": (
        b"HTTP/1.0 302 X\r\nLocation: /\r\n\r\n",
        "redirects to an address that cannot be followed",
    ),
    "a redirection to a file": (
        b"HTTP/1.0 302 X\r\nLocation: file:///etc/passwd\r\n\r\n",
        "redirects to an address that cannot be followed",
    ),
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_address_that_is_no_stream_is_an_error_that_says_why(serve, answer):
    content, message = ANSWERS[answer]
    server = serve(content)
    with pytest.raises(SourceError, match=message) as caught:
        frames(server.url)
    assert str(caught.value).startswith(f"{server.url}: ")


def test_a_camera_that_is_not_reachable_is_an_error_that_says_why(serve):
    with pytest.raises(SourceError, match="no host of this name was found; check the name and the network"):
        frames("http://no-such-host.invalid/x")
    with pytest.raises(SourceError, match=r"http://127.0.0.1:9/: cannot be opened: Connection refused"):
        frames("HTTP://127.0.0.1:9/")
    silent = serve(lambda _request, _send: time.sleep(5))
    with pytest.raises(SourceError, match="does not answer; check the address, and whether it is on"):
        frames(silent.url, timeout_s=0.2)
    plain = serve(b"HTTP/1.0 400 X\r\n\r\n")
    with pytest.raises(SourceError, match=r"does not answer|the port does not speak TLS; use http://"):
        frames(plain.url.replace("http:", "https:"), timeout_s=0.5)
