"""Real MJPEG and RTSP servers on loopback, killed and restarted. Both are this repository's own, in tests/doubles."""

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
RECOVERY_S = 4.0  # after the server's return: the last wait (1 s at most here), the connection, a key frame


class Watch:
    """A loop on a network camera, in a thread; what it told is in `recorder`."""

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
    """Give a function that starts a server, at a given port or any."""
    servers = []

    def start(color, port=0):
        servers.append(request.param(color, port))
        return servers[-1]

    yield start
    for server in servers[-1:]:
        server.stop()


def test_a_network_camera_is_decided_upon_as_it_is_now(serve, watch, wait_until):
    running = watch(serve(RED).url)
    wait_until(lambda: len(running.recorder.predictions) > 10)
    assert {prediction.label for prediction in running.recorder.predictions} == {"red"}
    assert all(prediction.age_ms < 800 for prediction in running.recorder.predictions)


def test_a_server_killed_and_restarted_is_found_again(serve, watch, wait_until):
    first = serve(RED)
    running = watch(first.url)
    wait_until(lambda: running.recorder.predictions)
    first.stop()
    killed_at = time.time()
    wait_until(lambda: {"lost", "stalled"} & set(running.recorder.kinds()))
    assert running.recorder.events[-1].at - killed_at < 0.8 + 1.0
    count = len(running.recorder.predictions)
    time.sleep(0.5)
    assert len(running.recorder.predictions) == count  # nothing is made up while it is away
    serve(BLUE, first.port)
    back_s = time.monotonic()
    wait_until(lambda: running.last_label() == "blue")
    recovery_s = time.monotonic() - back_s
    print(f"{type(first).__name__}: decided afresh {recovery_s:.1f} s after the server's return")  # docs/cameras.md
    assert recovery_s < RECOVERY_S
    assert "recovered" in running.recorder.kinds()
    assert {p.label for p in running.recorder.predictions[count:]} == {"blue"}  # nothing old came after the return


def test_a_server_that_stays_away_ends_the_watch(serve, watch, wait_until):
    server = serve(RED)
    running = watch(server.url, give_up_s=2.5)
    wait_until(lambda: running.recorder.predictions)
    server.stop()
    wait_until(lambda: running.problem is not None)
    assert str(running.problem) == f"{server.url}: no fresh frame for 2.5 s; gave up"


def test_nobody_at_the_address_is_told_at_once(watch, wait_until):
    running = watch("http://127.0.0.1:9/")
    wait_until(lambda: running.problem is not None)
    assert str(running.problem) == "http://127.0.0.1:9/: cannot be opened: Connection refused"


def test_a_connection_that_falls_silent_has_stalled(watch, wait_until):
    server = MjpegServer(RED)
    running = watch(server.url)
    wait_until(lambda: running.recorder.predictions)
    server.fall_silent()
    wait_until(lambda: "stalled" in running.recorder.kinds())
    server.stop()


def test_the_first_frames_after_opening_are_of_now():
    """What a stream's analysis has buffered is not given out as new."""
    server = MjpegServer(RED, fps=10)
    with open_source(server.url, timeout_s=2.0) as source:
        time.sleep(0.5)
        frames = iter(source)
        began = time.monotonic()
        numbers = [next(frames).number for _ in range(12)]
        assert time.monotonic() - began > 0.4
    assert numbers == sorted(numbers)
    server.stop()


def test_jpegs_come_as_they_were_sent():
    server = MjpegServer(GREEN)
    with open_source(server.url, timeout_s=2.0) as source:
        frame = next(iter(source))
    assert frame.image.startswith(b"\xff\xd8")
    server.stop()
