from __future__ import annotations

import http.client
import json
import re
import time
from types import SimpleNamespace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from edge_runtime.errors import InferenceError
from edge_runtime.live.records import Event
from edge_runtime.live.sinks.outbox import Counts
from edge_runtime.web.hub import Hub
from edge_runtime.web.metrics import render_metrics
from edge_runtime.web.openapi import openapi_document
from edge_runtime.web.protection.access import AccessError, check_token
from edge_runtime.web.server import run_server
from edge_runtime.web.site import Site

TOKEN = "correct-horse-battery-staple"


def request(server, method, path, body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request(method, path, body, {key.replace("_", "-"): value for key, value in headers.items()})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content, answer.headers


def messages(server, count, **headers):
    """Read `count` server-sent events: (event, data)."""
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
        status, content, _ = request(server, "POST", "/classify", image_bytes("green", form=form))
        answer = json.loads(content)
        assert (status, answer["label"]) == (200, "green")
        assert set(answer) == {"label", "score", "top", "familiarity", "decode_ms", "preprocess_ms", "inference_ms"}


def test_an_upload_that_is_not_an_image_is_refused_with_a_message(serving, bad_images):
    server = serving()
    got = {name: request(server, "POST", "/classify", path.read_bytes()) for name, path in bad_images.items()}
    assert {name: status for name, (status, _, _) in got.items()} == {
        "truncated": 422,
        "text": 415,
        "empty": 415,
        "huge": 413,
    }
    assert all(json.loads(content)["error"] for _, content, _ in got.values())


def test_server_sent_events_start_with_hello_then_the_kept_events_then_the_state(serving, make_prediction):
    server = serving(title="Porch")
    server.hub.prediction(make_prediction(3, "blue"))
    server.hub.event(Event("entered", "cam", 5.0, "blue", 0.9, thumbnail=b"jpeg"))
    (first, hello), (second, event), (third, state) = messages(server, 3)
    assert (first, second, third) == ("hello", "event", "state")
    assert (hello["title"], hello["labels"], hello["artifact"]) == ("Porch", ["red", "green", "blue"], "int8.tflite")
    assert (event["label"], event["number"], event["picture"]) == ("blue", 1, True)
    assert state["prediction"]["stable"] == "blue"
    assert request(server, "GET", "/events/1.jpg")[1] == b"jpeg"


def test_the_newest_frame_is_served_as_a_jpeg(serving, make_frame):
    server = serving()
    assert request(server, "GET", "/picture.jpg")[0] == 404
    server.hub.frame(make_frame(9))
    status, content, headers = request(server, "GET", "/picture.jpg")
    assert (status, content[:2], headers["X-Frame-Number"]) == (200, b"\xff\xd8", "9")


def test_health_is_bad_before_the_first_prediction_and_when_predictions_stop(serving, make_prediction):
    server = serving(stale_s=0.0)
    assert request(server, "GET", "/healthz")[0] == 503
    server.hub.prediction(make_prediction())
    assert json.loads(request(server, "GET", "/healthz")[1]) == {"status": "stale"}
    fresh = serving(stale_s=60.0)
    fresh.hub.prediction(make_prediction())
    assert request(fresh, "GET", "/healthz")[:2] == (200, b'{"status":"ok"}')


def test_metrics_are_prometheus_text(serving, make_prediction, image_bytes):
    server = serving()
    for number in range(5):
        server.hub.prediction(make_prediction(number, dropped=2))
    server.hub.event(Event("left", "cam", 0.0, "red"))
    request(server, "POST", "/classify", image_bytes("red"))
    status, content, headers = request(server, "GET", "/metrics")
    lines = content.decode().splitlines()
    assert (status, headers["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert "edgewise_frames_total 5.0" in lines
    assert "edgewise_frames_dropped_total 10.0" in lines
    assert 'edgewise_events_total{kind="left"} 1.0' in lines
    assert 'edgewise_uploads_total{status="200"} 1.0' in lines
    assert 'edgewise_latency_seconds{quantile="0.99",stage="inference"} 0.003' in lines
    sample = re.compile(r'edgewise_[a-z_]+(\{[a-z]+="[^"]+"(,[a-z]+="[^"]+")*\})? [-+0-9.eInf]+')
    assert all(line.startswith("# ") or sample.fullmatch(line) for line in lines)


def test_metrics_escape_label_values_and_leave_out_unknown_values():
    outbox = SimpleNamespace(name='the "porch" receiver', counts=lambda: Counts(delivered=3, dropped=1, waiting=2))
    text = render_metrics(Hub(), [outbox], {}).decode()
    samples = {line for line in text.splitlines() if not line.startswith("# ")}
    assert r'edgewise_sink_delivered_total{sink="the \"porch\" receiver"} 3.0' in samples
    assert r'edgewise_sink_waiting{sink="the \"porch\" receiver"} 2.0' in samples
    assert "edgewise_freshness_seconds +Inf" in samples
    assert "edgewise_frames_per_second" not in text
    assert "edgewise_latency_seconds" not in text


def test_metrics_contain_what_is_different_from_training_as_the_state_does(serving):
    drift = SimpleNamespace(
        snapshot={
            "reasons": [{"name": "moved", "since": 1.0, "sentence": "the camera has moved, since 14:05"}],
            "positions": {"brightness": 0.25},
            "unfamiliar": 0.125,
        }
    )
    server = serving(drift=drift)
    lines = request(server, "GET", "/metrics")[1].decode().splitlines()
    assert 'edgewise_drift{reason="moved"} 1.0' in lines
    assert 'edgewise_drift{reason="darker"} 0.0' in lines
    assert 'edgewise_drift_position{statistic="brightness"} 0.25' in lines
    assert "edgewise_unfamiliar_ratio 0.125" in lines
    assert json.loads(request(server, "GET", "/state")[1])["drift"] == drift.snapshot


def test_metrics_count_familiarities_and_unfamiliar_frames(make_prediction):
    hub = Hub()
    hub.prediction(make_prediction(0))  # a model without familiarity
    assert "familiar" not in render_metrics(hub, [], {}).decode()
    for familiarity in (0.0, 0.1, 0.11, 0.97, 1.0):
        unknown = familiarity < 0.5
        decided = {"label": "unknown", "score": 1 - familiarity} if unknown else {}
        hub.prediction(make_prediction(familiarity=familiarity, **decided))
    hub.prediction(make_prediction(familiarity=0.8, label="unknown", score=0.4))  # below its class's threshold
    families = {one.name: one for one in text_string_to_metric_families(render_metrics(hub, [], {}).decode())}
    histogram = families["edgewise_familiarity"]
    counts = {one.labels["le"]: one.value for one in histogram.samples if one.name.endswith("_bucket")}
    assert histogram.type == "histogram"
    assert (counts["0.1"], counts["0.2"], counts["0.7"], counts["0.8"], counts["+Inf"]) == (2, 3, 3, 4, 6)
    assert [one.value for one in histogram.samples if one.name.endswith("_sum")] == [pytest.approx(2.98)]
    assert [one.value for one in families["edgewise_unfamiliar_frames"].samples] == [3]


METRICS = {
    "edgewise_frames": "counter",
    "edgewise_frames_dropped": "counter",
    "edgewise_events": "counter",
    "edgewise_frames_per_second": "gauge",
    "edgewise_freshness_seconds": "gauge",
    "edgewise_latency_seconds": "gauge",
    "edgewise_uploads": "counter",
    "edgewise_resident_memory_bytes": "gauge",
    "edgewise_processor_seconds": "counter",
}


def test_metrics_can_be_parsed_and_keep_their_names_and_types(serving, make_prediction, image_bytes):
    server = serving()
    for number in range(3):
        server.hub.prediction(make_prediction(number))
        time.sleep(0.01)
    server.hub.event(Event("left", "cam", 0.0, "red"))
    request(server, "POST", "/classify", image_bytes("red"))
    families = text_string_to_metric_families(request(server, "GET", "/metrics")[1].decode())
    found = {family.name: family.type for family in families}
    found.pop("edgewise_device_temperature_celsius", None)  # not every machine has a thermal sensor
    assert found == METRICS


@pytest.mark.parametrize("token", [False, True])
def test_the_openapi_document_is_valid(token):
    validator = pytest.importorskip("openapi_spec_validator", reason="needs openapi-spec-validator")
    validator.validate(openapi_document("1.2.3", token=token, review=token))


def test_every_documented_path_exists(serving):
    server = serving()
    document = json.loads(request(server, "GET", "/openapi.json")[1])
    assert document["openapi"].startswith("3.")
    for path in document["paths"]:
        assert request(server, "POST" if path == "/classify" else "HEAD", path)[0] != 404 or path == "/picture.jpg"


@pytest.mark.parametrize("path", ["/", "/static/page.js", "/state", "/nonsense"])
def test_every_response_forbids_resources_of_other_servers(serving, path):
    _, content, headers = request(serving(), "GET", path)
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert b"://" not in content.replace(b"http://www.w3.org", b"")  # no resource is loaded from another server


def test_without_the_token_every_path_is_refused(serving, image_bytes):
    server = serving(token=TOKEN)
    server.hub.event(Event("entered", "cam", 0.0, "red", thumbnail=b"secret"))
    for path in ("/state", "/events", "/picture.jpg", "/metrics", "/openapi.json", "/events/1.jpg", "/static/page.js"):
        assert request(server, "GET", path)[0] == 401, path
        assert request(server, "GET", path, Authorization="Bearer wrong")[0] == 401, path
        assert request(server, "GET", path, Cookie="edgewise=wrong")[0] == 401, path
        assert request(server, "GET", f"{path}?token={TOKEN}")[0] == 401, path
    assert request(server, "POST", "/classify", image_bytes("red"))[0] == 401
    assert request(server, "GET", "/healthz")[0] == 503
    status, _, headers = request(server, "GET", "/")
    assert (status, headers["Location"]) == (303, "/login")


def test_the_token_is_accepted_as_a_bearer_token_and_as_a_cookie(serving):
    server = serving(token=TOKEN)
    assert request(server, "GET", "/state", Authorization=f"Bearer {TOKEN}")[0] == 200
    form = {"Content_Type": "application/x-www-form-urlencoded"}
    assert request(server, "POST", "/login", "token=wrong", **form)[0] == 401
    status, _, headers = request(server, "POST", "/login", f"token={TOKEN}", **form)
    cookie = headers["Set-Cookie"]
    assert (status, headers["Location"]) == (303, "/")
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert TOKEN not in cookie
    assert request(server, "GET", "/state", Cookie=cookie.split(";")[0])[0] == 200
    assert request(server, "GET", "/", Cookie=cookie.split(";")[0])[0] == 200


def test_the_token_in_the_url_is_exchanged_for_a_cookie_and_removed_from_the_url(serving):
    server = serving(token=TOKEN)
    _, _, headers = request(server, "GET", f"/?token={TOKEN}")
    status, _, headers = request(server, "GET", headers["Location"])
    assert (status, headers["Location"]) == (303, "/")
    assert headers["Set-Cookie"]


def test_requests_from_other_web_sites_are_refused(serving, image_bytes):
    server = serving()
    assert (
        request(server, "GET", "/state", Host="evil.example")[0] == 403
    )  # DNS rebinding: the name resolves to 127.0.0.1
    assert request(server, "POST", "/classify", image_bytes("red"), Origin="https://evil.example")[0] == 403
    assert request(server, "GET", "/state", Host=f"localhost:{server.port}")[0] == 200


def test_a_network_address_requires_a_long_token():
    with pytest.raises(AccessError, match="open to the network, so a token must be set"):
        run_server(Site(None, None), host="0.0.0.0")
    with pytest.raises(AccessError, match="at least 16 printable ASCII characters"):
        check_token("0.0.0.0", "short")
    for host in ("127.0.0.1", "::1", "localhost"):
        check_token(host, None)


def test_a_busy_port_is_reported(serving):
    server = serving()
    with pytest.raises(AccessError, match=r"cannot listen on 127\.0\.0\.1:\d+: .*; choose another --port"):
        run_server(Site(None, None), port=server.port)


def test_the_server_stops_although_a_viewer_is_connected(serving):
    server = serving()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request("GET", "/events")
    connection.getresponse().readline()
    server.stop.set()
    server.thread.join(10)
    assert not server.thread.is_alive()
    connection.close()


def test_a_model_that_gives_no_probabilities_is_an_error_of_the_server(serving, image_bytes, monkeypatch):
    def fail(self, *_args, **_options):
        raise InferenceError("the model returned NaN or infinity instead of probabilities; export it again")

    monkeypatch.setattr("edge_runtime.classify.classifier.Classifier.classify", fail)
    server = serving()
    status, content, _ = request(server, "POST", "/classify", image_bytes("red"))
    assert (status, "NaN" in json.loads(content)["error"]) == (500, True)
    status, content, _ = request(server, "GET", "/state")
    assert (status, json.loads(content)["prediction"]) == (200, None)
    assert request(server, "GET", "/healthz")[0] == 503
