"""Servers that collect and review pictures, on loopback, with a simulated camera."""

from __future__ import annotations

import http.client
import io
import json
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from edge_runtime.classify.decision import Scored
from edge_runtime.collection.collector import CollectLimits, Collector
from edge_runtime.collection.names import picture_name
from edge_runtime.collection.records import KeptFrame
from edge_runtime.collection.review.reviews import Reviews
from edge_runtime.collection.store import sidecar_of
from edge_runtime.live.records import Frame

JSON = {"Content-Type": "application/json"}


def scene(number, size=(64, 48)):
    """Return the JPEG of a scene of its own."""
    cells = np.random.default_rng(number).integers(0, 256, (6, 8, 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(cells).resize(size, Image.Resampling.NEAREST).save(stream, "JPEG")
    return stream.getvalue()


@pytest.fixture
def make_scene():
    return scene


@pytest.fixture
def call():
    """Return a function that sends a request and returns the status and the body, parsed if it is JSON."""

    def send(port, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        try:
            data = body if body is None or isinstance(body, bytes) else json.dumps(body)
            connection.request(method, path, data, {**(JSON if body is not None else {}), **(headers or {})})
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        is_json = answer.headers.get("content-type") == "application/json"
        return answer.status, json.loads(content) if is_json else content

    return send


@pytest.fixture
def running():
    """Return a function that serves an application in a thread, and returns its port and address."""
    from edge_runtime.web.server import run_app

    stops = []

    def start(app):
        stop, ready, addresses = threading.Event(), threading.Event(), []
        options = {"stop": stop, "on_ready": lambda address: (addresses.append(address), ready.set())}
        thread = threading.Thread(target=lambda: run_app(app, host="127.0.0.1", port=0, **options))
        thread.start()
        stops.append((stop, thread))
        assert ready.wait(20)
        port = int(addresses[0].rsplit(":", 1)[1].rstrip("/"))
        return SimpleNamespace(port=port, address=addresses[0], stop=stop)

    yield start
    for stop, thread in stops:
        stop.set()
        thread.join(20)


@pytest.fixture
def keep(tmp_path):
    """Return a function that puts a frame among those that wait for a review, and returns its name."""
    (tmp_path / "kept").mkdir()

    def put(number, label="cat", reason="close"):
        top = (Scored("cat", 0.6), Scored("dog", 0.4))
        record = KeptFrame(
            label, 0.6, top, None, label, reason, "ab" * 32, "int8.tflite", "", "b000000", "cam", number, "0" * 16
        )
        content = scene(number)
        name = picture_name(1.7e9 + 60 * number, f"b{number:06x}", content, "jpg")
        (tmp_path / "kept" / name).write_bytes(content)
        (tmp_path / "kept" / sidecar_of(name)).write_bytes(record.to_json())
        return name

    return put


@pytest.fixture
def review_server(running, tmp_path):
    """Return a function that serves the review of `tmp_path`."""
    from edge_runtime.web.labelling.apps import build_review_app

    def start(labels=("cat", "dog"), token=None):
        return running(build_review_app(Reviews(tmp_path, labels), token=token))

    return start


@pytest.fixture
def collect_server(running, tmp_path):
    """Return a function that serves a page for collecting, with a camera that shows another scene in each frame."""
    from edge_runtime.web.labelling.apps import build_collect_app
    from edge_runtime.web.labelling.camera import CameraView
    from edge_runtime.web.labelling.collect_routes import CollectSite

    ended, threads = threading.Event(), []

    def start(labels=("cat", "dog", "nothing"), *, live=True, limits=None, **options):
        collector = Collector(
            tmp_path / "out", labels, limits or CollectLimits(min_free_bytes=0), roi=options.get("roi")
        )
        view = CameraView()

        def play():
            number = 0
            while not ended.wait(0.05):
                number += 1
                view.update(Frame("cam", number, scene(number), time.time(), time.monotonic()))

        if live:
            threads.append(threading.Thread(target=play))
            threads[-1].start()
        server = running(build_collect_app(CollectSite(collector, view, **options)))
        return SimpleNamespace(**vars(server), collector=collector, view=view)

    yield start
    ended.set()
    for thread in threads:
        thread.join()
