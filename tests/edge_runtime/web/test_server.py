from __future__ import annotations

import http.client
import json
import re

import pytest

from edge_runtime.live.records import Event
from edge_runtime.web.access import AccessError, check_token
from edge_runtime.web.server import run_server

TOKEN = "correct-horse-battery-staple"


def ask(server, method, path, body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request(method, path, body, {key.replace("_", "-"): value for key, value in headers.items()})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content, answer.headers


def messages(server, count, **headers):
    """Read so many server-sent messages: (kind, data)."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request("GET", "/events", headers=headers)
    answer = connection.getresponse()
    assert answer.readline() == b"retry: 1000\n"
    got = []
    while len(got) < count:
        kind = answer.readline().decode().removeprefix("event: ").strip()
        got.append((kind, json.loads(answer.readline().decode().removeprefix("data: "))))
        answer.readline()
    connection.close()
    return got


def test_an_upload_is_classified(serving, image_bytes):
    server = serving()
    for form in ("JPEG", "PNG", "WEBP"):
        status, content, _ = ask(server, "POST", "/classify", image_bytes("green", form=form))
        answer = json.loads(content)
        assert (status, answer["label"]) == (200, "green")
        assert set(answer) == {"label", "score", "top", "decode_ms", "preprocess_ms", "inference_ms"}


def test_what_is_no_image_is_refused_in_words(serving, bad_images):
    server = serving()
    got = {name: ask(server, "POST", "/classify", path.read_bytes()) for name, path in bad_images.items()}
    assert {name: status for name, (status, _, _) in got.items()} == {
        "truncated": 422,
        "text": 415,
        "empty": 415,
        "huge": 413,
    }
    assert all(json.loads(content)["error"] for _, content, _ in got.values())


def test_server_sent_events_begin_with_who_it_is_then_what_happened_then_how_it_stands(serving, make_prediction):
    server = serving(title="Porch")
    server.hub.prediction(make_prediction(3, "blue"))
    server.hub.event(Event("entered", "cam", 5.0, "blue", 0.9, thumbnail=b"jpeg"))
    (hello, is_), (event, happened), (state, stands) = messages(server, 3)
    assert (hello, event, state) == ("hello", "event", "state")
    assert (is_["title"], is_["labels"], is_["artifact"]) == ("Porch", ["red", "green", "blue"], "int8.tflite")
    assert (happened["label"], happened["number"], happened["picture"]) == ("blue", 1, True)
    assert stands["prediction"]["stable"] == "blue"
    assert ask(server, "GET", "/events/1.jpg")[1] == b"jpeg"


def test_the_newest_picture_is_given(serving, make_frame):
    server = serving()
    assert ask(server, "GET", "/picture.jpg")[0] == 404
    server.hub.frame(make_frame(9))
    status, content, headers = ask(server, "GET", "/picture.jpg")
    assert (status, content[:2], headers["X-Frame-Number"]) == (200, b"\xff\xd8", "9")


def test_health_is_bad_until_a_frame_is_decided_and_when_none_is_any_more(serving, make_prediction):
    server = serving(stale_s=0.0)
    assert ask(server, "GET", "/healthz")[0] == 503
    server.hub.prediction(make_prediction())
    assert json.loads(ask(server, "GET", "/healthz")[1]) == {"status": "stale"}
    fresh = serving(stale_s=60.0)
    fresh.hub.prediction(make_prediction())
    assert ask(fresh, "GET", "/healthz")[:2] == (200, b'{"status":"ok"}')


def test_metrics_are_prometheus_text(serving, make_prediction, image_bytes):
    server = serving()
    for number in range(5):
        server.hub.prediction(make_prediction(number, dropped=2))
    server.hub.event(Event("left", "cam", 0.0, "red"))
    ask(server, "POST", "/classify", image_bytes("red"))
    status, content, headers = ask(server, "GET", "/metrics")
    lines = content.decode().splitlines()
    assert (status, headers["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert "edgewise_frames_total 5" in lines
    assert "edgewise_frames_dropped_total 10" in lines
    assert 'edgewise_events_total{kind="left"} 1' in lines
    assert 'edgewise_uploads_total{status="200"} 1' in lines
    assert 'edgewise_latency_seconds{stage="inference",quantile="0.99"} 0.003' in lines
    sample = re.compile(r'edgewise_[a-z_]+(\{[a-z]+="[^"]+"(,[a-z]+="[^"]+")*\})? [-+0-9.eInf]+')
    assert all(line.startswith("# ") or sample.fullmatch(line) for line in lines)


def test_the_interface_is_described(serving):
    server = serving()
    document = json.loads(ask(server, "GET", "/openapi.json")[1])
    assert document["openapi"].startswith("3.")
    for path in document["paths"]:
        assert ask(server, "POST" if path == "/classify" else "HEAD", path)[0] != 404 or path == "/picture.jpg"


@pytest.mark.parametrize("path", ["/", "/static/page.js", "/state", "/nonsense"])
def test_every_answer_forbids_the_browser_what_is_not_from_here(serving, path):
    _, content, headers = ask(serving(), "GET", path)
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert b"://" not in content.replace(b"http://www.w3.org", b"")  # nothing is asked from anywhere else


def test_without_the_token_nothing_is_told(serving, image_bytes):
    server = serving(token=TOKEN)
    server.hub.event(Event("entered", "cam", 0.0, "red", thumbnail=b"secret"))
    for path in ("/state", "/events", "/picture.jpg", "/metrics", "/openapi.json", "/events/1.jpg", "/static/page.js"):
        assert ask(server, "GET", path)[0] == 401, path
        assert ask(server, "GET", path, Authorization="Bearer wrong")[0] == 401, path
        assert ask(server, "GET", path, Cookie="edgewise=wrong")[0] == 401, path
        assert ask(server, "GET", f"{path}?token={TOKEN}")[0] == 401, path
    assert ask(server, "POST", "/classify", image_bytes("red"))[0] == 401
    assert ask(server, "GET", "/healthz")[0] == 503
    status, _, headers = ask(server, "GET", "/")
    assert (status, headers["Location"]) == (303, "/login")


def test_the_token_opens_as_bearer_and_by_cookie(serving):
    server = serving(token=TOKEN)
    assert ask(server, "GET", "/state", Authorization=f"Bearer {TOKEN}")[0] == 200
    form = {"Content_Type": "application/x-www-form-urlencoded"}
    assert ask(server, "POST", "/login", "token=wrong", **form)[0] == 401
    status, _, headers = ask(server, "POST", "/login", f"token={TOKEN}", **form)
    cookie = headers["Set-Cookie"]
    assert (status, headers["Location"]) == (303, "/")
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert TOKEN not in cookie
    assert ask(server, "GET", "/state", Cookie=cookie.split(";")[0])[0] == 200
    assert ask(server, "GET", "/", Cookie=cookie.split(";")[0])[0] == 200


def test_the_token_in_the_address_is_taken_once_and_leaves_the_address(serving):
    server = serving(token=TOKEN)
    _, _, headers = ask(server, "GET", f"/?token={TOKEN}")
    status, _, headers = ask(server, "GET", headers["Location"])
    assert (status, headers["Location"]) == (303, "/")
    assert headers["Set-Cookie"]


def test_another_site_cannot_ask_through_the_browser(serving, image_bytes):
    server = serving()
    assert ask(server, "GET", "/state", Host="evil.example")[0] == 403  # a name that was pointed at 127.0.0.1
    assert ask(server, "POST", "/classify", image_bytes("red"), Origin="https://evil.example")[0] == 403
    assert ask(server, "GET", "/state", Host=f"localhost:{server.port}")[0] == 200


def test_it_is_not_opened_to_the_network_without_a_token_that_cannot_be_guessed(bundle):
    with pytest.raises(AccessError, match="open to the network, so a token must be set"):
        run_server(None, None, host="0.0.0.0")
    with pytest.raises(AccessError, match="at least 16 plain characters"):
        check_token("0.0.0.0", "short")
    for host in ("127.0.0.1", "::1", "localhost"):
        check_token(host, None)


def test_a_port_that_is_taken_is_one_line(serving):
    server = serving()
    with pytest.raises(AccessError, match="cannot listen there"):
        run_server(None, None, port=server.port)


def test_it_stops_when_told_though_somebody_looks(serving):
    server = serving()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request("GET", "/events")
    connection.getresponse().readline()
    server.stop.set()
    server.thread.join(10)
    assert not server.thread.is_alive()
    connection.close()
