"""edge-run collect, review and --keep-hard, as their user sees them."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from edge_runtime.collection.names import burst_of, is_picture_name
from edge_runtime.collection.store import picture_names

EDGE_RUN = [sys.executable, "-m", "edge_runtime.cli"]


@pytest.fixture
def scenes(tmp_path):
    """Write ten pictures that differ clearly."""
    folder = tmp_path / "scenes"
    folder.mkdir()
    for number in range(10):
        cells = np.random.default_rng(number).integers(0, 256, (6, 8, 3), np.uint8)
        Image.fromarray(cells).resize((64, 48), Image.Resampling.NEAREST).save(folder / f"{number}.png")
    return folder


def post(port, path, body):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


def get(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, answer.read()


@pytest.fixture
def started():
    """Return a function that starts a command that serves a page; it returns the process and its port."""
    processes = []

    def start(*words):
        process = subprocess.Popen([*EDGE_RUN, *map(str, words), "--port", "0"], stderr=subprocess.PIPE, text=True)
        processes.append(process)
        line = process.stderr.readline()
        assert line.startswith("edge-run: serving on http://127.0.0.1:"), line
        return process, int(line.rsplit(":", 1)[1].rstrip("/\n"))

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def test_pictures_are_stored_at_intervals_without_a_page(edge_run, scenes, tmp_path):
    camera = f"simulated:{scenes}?fps=20"
    code, out, err = edge_run(
        "collect", tmp_path / "out", "--source", camera, "--label", "nothing", "--every", "0.1", "--count", "3"
    )
    assert code == 0
    assert [os.path.dirname(line) for line in out] == [str(tmp_path / "out/nothing")] * 3  # noqa: PTH120 - as printed
    assert err == [f"edge-run: {tmp_path}/out: 3 pictures of nothing"]
    assert len(list(picture_names(tmp_path / "out/nothing"))) == 3


def test_a_scene_that_does_not_change_is_stored_once(edge_run, photo, tmp_path):
    photo("red", name="still/red.png")
    camera = f"simulated:{tmp_path}/still?fps=20&frames=8"
    words = ("collect", tmp_path / "out", "--source", camera, "--label", "nothing", "--every", "0.05")
    code, out, err = edge_run(*words, "--stall-timeout", "0.5", "--give-up", "0.5")
    assert (code, len(out)) == (1, 1)  # the camera ends
    assert "gave up" in err[-1]


def test_each_image_of_a_folder_is_stored_and_turned(edge_run, scenes, tmp_path):
    words = ("collect", tmp_path / "out", "--source", scenes, "--label", "cat", "--rotate", "90")
    code, out, _ = edge_run(*words)
    assert (code, len(out)) == (0, 10)
    with Image.open(out[0]) as image:
        assert image.size == (48, 64)
    names = [line.rpartition("/")[2] for line in out]
    assert all(is_picture_name(name) for name in names)
    assert len({burst_of(name) for name in names}) == 10  # photographs that have nothing to do with each other


def test_a_limit_ends_the_command_with_what_was_stored(edge_run, scenes, tmp_path):
    code, out, err = edge_run("collect", tmp_path / "out", "--source", scenes, "--label", "cat", "--budget", "3kB")
    assert code == 1
    assert out
    assert "raise --budget" in err[-1]
    assert len(list(picture_names(tmp_path / "out/cat"))) == len(out)


def test_words_that_do_not_fit_are_refused(edge_run, refused, scenes, tmp_path):
    camera = f"simulated:{scenes}?fps=20"
    assert "class folders yet" in refused("collect", tmp_path / "out", "--source", camera)
    assert "needs a camera" in refused("collect", tmp_path / "out", "--source", scenes, "--labels", "a,b")
    assert "no such folder" in refused("review", tmp_path / "none")
    assert not (tmp_path / "out").exists()
    for words in (
        ("--every", "5"),
        ("--labels", "a,A"),
        ("--labels", "a,../b"),
        ("--label", ".x"),
        ("--budget", "much"),
    ):
        assert edge_run("collect", tmp_path / "out", "--source", camera, *words)[0] == 2
    told = refused("collect", tmp_path / "out", "--source", camera, "--labels", "a,b", "--host", "0.0.0.0")
    assert "a token must be set" in told


def test_the_page_collects_until_a_signal_and_needs_no_bundle(started, scenes, tmp_path, wait_until):
    process, port = started(
        "collect", tmp_path / "out", "--source", f"simulated:{scenes}?fps=20", "--labels", "cat,dog"
    )
    wait_until(lambda: get(port, "/healthz")[0] == 200)
    assert b"collect.js" in get(port, "/")[1]
    assert post(port, "/collect/take", {"label": "dog"})[1]["result"] == "stored"
    assert json.loads(get(port, "/collect/state")[1])["guess"] is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    assert process.stderr.read() == ""
    assert len(list(picture_names(tmp_path / "out/dog"))) == 1


def test_a_bundle_guesses_and_names_the_labels(started, bundle, photo, tmp_path, wait_until):
    photo("green", "shown/green.png")
    camera = f"simulated:{tmp_path}/shown?fps=20"
    _, port = started("collect", tmp_path / "out", "--source", camera, "--bundle", bundle, "--threads", "1")
    wait_until(lambda: json.loads(get(port, "/collect/state")[1])["guess"])
    state = json.loads(get(port, "/collect/state")[1])
    assert [item["label"] for item in state["labels"]] == ["red", "green", "blue"]
    assert state["guess"]["label"] == "green"
    assert post(port, "/collect/take", {"label": "blue"})[1]["picture"]["score"] > 0.5


def test_watch_keeps_frames_and_review_labels_them(edge_run, started, bundle, scenes, tmp_path):
    keep = ("--keep-hard", tmp_path / "hard", "--keep-rate", "1000/s", "--keep-free", "1kB", "--keep-random", "0")
    code, _, err = edge_run("watch", bundle, "--source", f"simulated:{scenes}?fps=20", "--frames", "20", *keep)
    assert (code, err) == (0, [])
    names = list(picture_names(tmp_path / "hard/kept"))
    assert names
    sidecar = json.loads((tmp_path / "hard/kept" / f"{names[0][:-4]}.json").read_text())
    manifest = json.loads((bundle / "manifest.json").read_text())
    (artifact,) = (item for item in manifest["artifacts"] if item["name"] == sidecar["artifact"])
    assert sidecar["model"] == artifact["file"]["sha256"]
    assert sidecar["burst"] == burst_of(names[0])
    assert sidecar["reason"] in {"close", "flipped"}
    process, port = started("review", tmp_path / "hard", "--labels", "red,green")
    assert post(port, "/review/decide", {"names": names, "action": "confirm"})[0] == 200
    assert len(json.loads(get(port, "/review/list")[1])["files"]) == len(names)
    assert get(port, "/")[0] == 303
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0


def test_serve_keeps_frames_and_has_the_review(started, bundle, scenes, tmp_path, wait_until):
    keep = ("--keep-hard", tmp_path / "hard", "--keep-rate", "1000/s", "--keep-free", "1kB")
    _, port = started("serve", bundle, "--source", f"simulated:{scenes}?fps=20", "--threads", "1", *keep)
    wait_until(lambda: json.loads(get(port, "/review/groups")[1])["groups"])
    assert json.loads(get(port, "/review/groups")[1])["labels"] == ["red", "green", "blue", "nothing"]
    assert b"review.js" in get(port, "/review")[1]
    assert b'sink="kept frames"' in get(port, "/metrics")[1]


def test_serve_without_keep_hard_has_no_review(started, bundle, scenes):
    _, port = started("serve", bundle, "--source", f"simulated:{scenes}?fps=20", "--threads", "1")
    assert get(port, "/review")[0] == 404
    assert get(port, "/review/list")[0] == 404


def test_the_service_may_write_the_kept_frames(edge_run, bundle, tmp_path):
    words = ("service", bundle, "--source", "/dev/video0", "--serve", f"--options=--keep-hard {tmp_path}/hard/here")
    code, out, _ = edge_run(*words)
    assert code == 0
    assert f"ReadWritePaths={tmp_path}/hard" in out
