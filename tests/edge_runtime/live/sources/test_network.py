"""Network cameras: MJPEG and RTSP servers on loopback that are stopped and restarted; see tests/doubles."""

from __future__ import annotations

import threading
import time

import pytest
from mjpeg_server import MjpegServer
from recording import Recorder
from rtsp_server import RtspServer

from edge_runtime.classify.classifier import Classifier
from edge_runtime.errors import SourceError
from edge_runtime.live.capture import Patience
from edge_runtime.live.sources.opening import open_source
from edge_runtime.live.stream import Stream

RED, GREEN, BLUE = (220, 30, 20), (25, 210, 30), (20, 40, 230)
SERVERS = [MjpegServer, RtspServer]
RECOVERY_S = 4.0  # limit after the server's return: the last wait (here at most 1 s), the connection, a key frame


class Watch:
    """A live loop on a network camera, in a thread; `recorder` contains its predictions and events."""

    def __init__(self, url, bundle, give_up_s=30.0):
        self.recorder, self.stop, self.problem = Recorder(), threading.Event(), None
        self._stream = Stream(
            open_source(url, timeout_s=2.0),
            Classifier.open(bundle, threads=1),
            [self.recorder],
            patience=Patience(stall_timeout_s=0.8, give_up_s=give_up_s, first_wait_s=0.25),
            stop=self.stop,
        )
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        try:
            self._stream.run()
        except SourceError as problem:
            self.problem = problem

    def last_label(self):
        return self.recorder.predictions[-1].label

    def end(self):
        self.stop.set()
        self._thread.join(10)
        assert not self._thread.is_alive()


@pytest.fixture
def watch(bundle):
    watches = []

    def start(url, **settings):
        watches.append(Watch(url, bundle, **settings))
        return watches[-1]

    yield start
    for each in watches:
        each.end()


@pytest.fixture(params=SERVERS, ids=lambda server: server.__name__)
def serve(request):
    """Return a function that starts a server, at a port or at any free one."""
    servers = []

    def start(color, port=0):
        servers.append(request.param(color, port))
        return servers[-1]

    yield start
    for server in servers[-1:]:
        server.stop()


def test_predictions_of_a_network_camera_are_fresh(serve, watch, wait_until):
    running = watch(serve(RED).url)
    wait_until(lambda: len(running.recorder.predictions) > 10)
    assert {prediction.label for prediction in running.recorder.predictions} == {"red"}
    assert all(prediction.age_ms < 800 for prediction in running.recorder.predictions)


def test_a_stopped_and_restarted_server_is_reconnected(serve, watch, wait_until):
    first = serve(RED)
    running = watch(first.url)
    wait_until(lambda: running.recorder.predictions)
    first.stop()
    killed_at = time.time()
    wait_until(lambda: {"lost", "stalled"} & set(running.recorder.kinds()))
    assert running.recorder.events[-1].at - killed_at < 0.8 + 1.0
    count = len(running.recorder.predictions)
    time.sleep(0.5)
    assert len(running.recorder.predictions) == count  # no prediction while the server is away
    serve(BLUE, first.port)
    back_s = time.monotonic()
    wait_until(lambda: running.last_label() == "blue")
    recovery_s = time.monotonic() - back_s
    print(f"{type(first).__name__}: fresh predictions {recovery_s:.1f} s after the server's return")  # docs/cameras.md
    assert recovery_s < RECOVERY_S
    assert "recovered" in running.recorder.kinds()
    assert {p.label for p in running.recorder.predictions[count:]} == {"blue"}  # no old frame after the return


def test_the_loop_fails_if_the_server_does_not_return(serve, watch, wait_until):
    server = serve(RED)
    running = watch(server.url, give_up_s=2.5)
    wait_until(lambda: running.recorder.predictions)
    server.stop()
    wait_until(lambda: running.problem is not None)
    assert str(running.problem).startswith(f"{server.url}: no fresh frame for 2.5 s; gave up: ")


def test_an_address_without_a_server_is_an_error(watch, wait_until):
    running = watch("http://127.0.0.1:9/", give_up_s=0.6)
    wait_until(lambda: running.problem is not None)
    assert running.recorder.kinds() == ["lost"]
    assert str(running.problem) == (
        "http://127.0.0.1:9/: no fresh frame for 0.6 s; gave up: cannot be opened: Connection refused"
    )


def test_a_connection_without_data_counts_as_stalled(watch, wait_until):
    server = MjpegServer(RED)
    running = watch(server.url)
    wait_until(lambda: running.recorder.predictions)
    server.fall_silent()
    wait_until(lambda: "stalled" in running.recorder.kinds())
    server.stop()


def test_frames_that_were_buffered_while_opening_are_not_yielded_as_new():
    server = MjpegServer(RED, fps=10)
    with open_source(server.url, timeout_s=2.0) as source:
        time.sleep(0.5)
        frames = iter(source)
        began = time.monotonic()
        numbers = [next(frames).number for _ in range(12)]
        assert time.monotonic() - began > 0.4
    assert numbers == sorted(numbers)
    server.stop()


def test_jpegs_of_a_network_camera_are_not_decoded():
    server = MjpegServer(GREEN)
    with open_source(server.url, timeout_s=2.0) as source:
        frame = next(iter(source))
    assert frame.image.startswith(b"\xff\xd8")
    server.stop()
