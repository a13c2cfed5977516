"""edge-run serve, whole, in a process of its own on a simulated camera."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys

import pytest

EDGE_RUN = [sys.executable, "-m", "edge_runtime.cli"]


def get(port, path, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    return answer.status, answer.read()


@pytest.fixture
def started(bundle, photo, tmp_path, wait_until):
    """Give a function that starts the command on a camera that shows red; it gives the process and its port."""
    processes = []
    photo("red", "shown/red.png")

    def start(*options, **environment):
        command = [
            *EDGE_RUN,
            "serve",
            bundle,
            "--source",
            f"simulated:{tmp_path}/shown?fps=20",
            "--port",
            "0",
            *options,
        ]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment})
        processes.append(process)
        line = process.stderr.readline()
        assert line.startswith("edge-run: serving on http://127.0.0.1:"), line
        return process, int(line.rsplit(":", 1)[1].rstrip("/\n"))

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_it_shows_what_the_camera_shows_logs_it_and_ends_well(started, wait_until, tmp_path, number):
    from edge_runtime.live.sinks.eventlog import read_events

    process, port = started("--event-log", tmp_path / "events.db", "--threads", "1")
    wait_until(lambda: get(port, "/healthz")[0] == 200)
    wait_until(lambda: json.loads(get(port, "/state")[1])["prediction"]["stable"] == "red")
    assert get(port, "/picture.jpg")[1][:2] == b"\xff\xd8"
    assert b'edgewise_sink_delivered_total{sink="event log"}' in get(port, "/metrics")[1]
    process.send_signal(number)
    assert process.wait(20) == 0
    assert process.stderr.read() == ""
    first = read_events(tmp_path / "events.db")[0]
    assert (first.kind, first.label) == ("entered", "red")


def test_the_token_comes_from_a_file_before_the_environment(started, tmp_path):
    (tmp_path / "token").write_text("another-horse-battery\n")
    (tmp_path / "token").chmod(0o600)
    _, port = started("--token-file", tmp_path / "token", EDGE_RUN_TOKEN="correct-horse-battery")
    assert get(port, "/state")[0] == 401
    assert get(port, "/state", Authorization="Bearer correct-horse-battery")[0] == 401
    assert get(port, "/state", Authorization="Bearer another-horse-battery")[0] == 200


def test_a_network_address_without_a_token_is_refused(refused, bundle, photo, monkeypatch):
    monkeypatch.delenv("EDGE_RUN_TOKEN", raising=False)
    told = refused("serve", bundle, "--source", photo(), "--host", "0.0.0.0")
    assert "a token must be set: EDGE_RUN_TOKEN=" in told


def test_without_the_libraries_the_extra_is_named(refused, bundle, photo, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert "pip install 'edgewise[serve]'" in refused("serve", bundle, "--source", photo())


def test_a_model_that_gives_no_probabilities_ends_the_server_with_a_clear_line(bundle, photo, tmp_path):
    photo("red", "shown/red.png")
    code = (
        "import sys; import numpy as np\n"
        "from edge_runtime.cli import main; from edge_runtime.classify import classifier\n"
        "opened = classifier.Classifier.open\n"
        "def broken(*args, **options):\n"
        "    made = opened(*args, **options); invoke = made.backend.probabilities\n"
        "    made.backend.probabilities = lambda output: invoke(output) * np.float32('nan')\n"
        "    return made\n"
        "classifier.Classifier.open = broken; sys.exit(main(sys.argv[1:]))\n"
    )
    camera = f"simulated:{tmp_path}/shown?fps=20"
    command = [sys.executable, "-c", code, "serve", bundle, "--source", camera, "--port", "0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert "the model returned NaN or infinity instead of probabilities" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_video_that_ended_is_shown_and_the_server_stays(started, wait_until, tmp_path):
    process, port = started("--source", tmp_path / "shown" / "red.png")
    wait_until(lambda: json.loads(get(port, "/healthz")[1]) == {"status": "ended"})
    state = json.loads(get(port, "/state")[1])
    assert (get(port, "/healthz")[0], state["ended"], state["prediction"]["label"]) == (503, True, "red")
    assert process.poll() is None
