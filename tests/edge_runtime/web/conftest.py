"""A server on loopback with a live hub, as `edge-run serve` runs it, and a headless Chromium."""

from __future__ import annotations

import functools
import io
import os
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from chromium import browsers
from manual import ROOT
from PIL import Image

from edge_runtime import Classifier
from edge_runtime.classify.decision import Scored
from edge_runtime.live.records import Event, Frame, FramePrediction

pytest.importorskip("uvicorn", reason="needs the serve extra")
pytest.importorskip("starlette", reason="needs the serve extra")
pytest.importorskip("prometheus_client", reason="needs the serve extra")

COLORS = {"red": (220, 30, 20), "green": (25, 210, 30), "blue": (20, 40, 230)}


def encoded(color, size=(64, 48), form="JPEG"):
    stream = io.BytesIO()
    Image.new("RGB", size, COLORS[color]).save(stream, form)
    return stream.getvalue()


@pytest.fixture
def image_bytes():
    return encoded


@pytest.fixture
def make_prediction():
    def make(number=0, label="red", **changes):
        top = (Scored(label, 0.9), *(Scored(other, 0.05) for other in COLORS if other != label))
        values = {
            "source": "cam",
            "frame": number,
            "captured_at": 1e9,
            "age_ms": 40.0,
            "dropped": 0,
            "label": label,
            "score": 0.9,
            "top": top,
            "stable": label,
            "decode_ms": 1.0,
            "preprocess_ms": 2.0,
            "inference_ms": 3.0,
        }
        return FramePrediction(**{**values, **changes})

    return make


@pytest.fixture
def make_frame():
    def make(number=0, color="red"):
        return Frame("cam", number, encoded(color), time.time(), time.monotonic())

    return make


@pytest.fixture
def serving(bundle):
    """Return a function that starts a server in a thread and returns its hub, port and address.

    All servers are stopped at the end of the test.
    """
    from edge_runtime.web.hub import Hub
    from edge_runtime.web.server import run_server
    from edge_runtime.web.site import Site

    stops = []

    def start(*, port=0, **options):
        hub, stop, ready, addresses = Hub(), threading.Event(), threading.Event(), []
        site = Site(hub, Classifier.open(bundle, threads=1), **options)

        def serve():
            run_server(site, port=port, stop=stop, on_ready=lambda address: (addresses.append(address), ready.set()))

        thread = threading.Thread(target=serve)
        thread.start()
        stops.append((stop, thread))
        assert ready.wait(20)
        bound_port = int(addresses[0].rsplit(":", 1)[1].rstrip("/"))
        return SimpleNamespace(hub=hub, port=bound_port, address=addresses[0], stop=stop, thread=thread)

    yield start
    for stop, _ in stops:
        stop.set()
    for _, thread in stops:
        thread.join(20)
        assert not thread.is_alive()


@pytest.fixture
def live(make_prediction, make_frame):
    """Return a function that feeds a hub with frames, predictions and events, as the live loop does."""
    ended = threading.Event()
    threads = []

    def feed(hub):
        def run():
            number = 0
            while not ended.wait(0.05):
                color = ("red", "green", "blue")[number // 20 % 3]
                hub.frame(make_frame(number, color))
                hub.prediction(make_prediction(number, color))
                if number % 20 == 0:
                    hub.event(Event("entered", "cam", time.time(), color, 0.9, thumbnail=encoded(color)))
                number += 1

        threads.append(threading.Thread(target=run))
        threads[-1].start()

    yield feed
    ended.set()
    for thread in threads:
        thread.join()


@pytest.fixture(scope="session")
def chromium():
    """Return a function that opens a browser with the window size of a desktop or a phone, once for all tests."""
    with browsers() as open_browser:
        yield functools.cache(open_browser)


@pytest.fixture
def browser(chromium):
    """Return a function that returns a browser, and reset the browsers after the test."""
    used = []

    def open_page(*, phone=False):
        used.append(chromium(phone=phone))
        return used[-1]

    yield open_page
    for page in used:
        page.reset()


CHECK = """
const done = arguments[arguments.length - 1];
eval(arguments[0]);
axe.run(document, {resultTypes: ["violations"]}).then((found) => done(found.violations
    .filter((item) => ["serious", "critical"].includes(item.impact))
    .map((item) => [item.id, item.help, item.nodes[0].html])));
"""


@pytest.fixture
def axe_violations():
    """Return a function that returns the serious violations that axe-core finds on a page.

    `npm install axe-core` in the repository's folder installs it.
    """
    script = Path(os.environ.get("AXE_CORE", ROOT / "node_modules" / "axe-core" / "axe.min.js"))
    if not script.is_file():
        pytest.skip("needs axe-core: npm install --no-save axe-core")
    source = script.read_text(encoding="utf-8")
    return lambda page: page.check(CHECK, source)
