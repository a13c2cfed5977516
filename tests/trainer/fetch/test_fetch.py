"""Labelled pictures are fetched from a device, whose names are not trusted."""

import hashlib
import json
import random
import signal
import subprocess
import sys
import threading
import time

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from trainer.cli import main
from trainer.data.layout import scan
from trainer.errors import DataError
from trainer.fetch.connection import Device, parse_address
from trainer.fetch.listed import parse_page
from trainer.fetch.pictures import fetch

TOKEN = "secret"
PAGE = 4


class FakeDevice:
    """A server of the agreed routes, with what a test puts into it.

    Attributes:
        pictures: content by label and name.
        listed: entries that are added to the list as they are.
        spoil: called with label, name and content; returns the content that is sent.
        requests: the paths so far.

    """

    def __init__(self):
        self.pictures, self.listed, self.requests = {}, [], []
        self.spoil = lambda _label, _name, content: content
        self.refusing = None
        routes = [Route("/review/list", self._list), Route("/review/file/{label}/{name}", self._file)]
        config = uvicorn.Config(Starlette(routes=routes), port=0, log_level="error", lifespan="off")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        self.url = f"http://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}"

    def add(self, label, number, burst="b00000a"):
        content = f"picture {number}".encode() * 50
        digest = hashlib.sha256(content).hexdigest()
        name = f"20261127-{number // 3600:02}{number // 60 % 60:02}{number % 60:02}-000_{burst}_{digest[:8]}.jpg"
        self.pictures[label, name] = content
        return name

    def entry(self, label, name):
        content = self.pictures[label, name]
        return {"label": label, "name": name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}

    def _list(self, request):
        if answer := self._refuse(request):
            return answer
        entries = [self.entry(*key) for key in sorted(self.pictures)] + self.listed
        start = int(request.query_params.get("after", "0"))
        following = str(start + PAGE) if start + PAGE < len(entries) else None
        return JSONResponse({"files": entries[start : start + PAGE], "next": following})

    def _file(self, request):
        if answer := self._refuse(request):
            return answer
        label, name = request.path_params["label"], request.path_params["name"]
        return Response(self.spoil(label, name, self.pictures[label, name]), media_type="image/jpeg")

    def _refuse(self, request):
        self.requests.append(request.url.path)
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return Response(status_code=401)
        return self.refusing

    def stop(self):
        self._server.should_exit = True
        self._thread.join()


@pytest.fixture
def device():
    server = FakeDevice()
    for number in range(6):
        server.add("cat", number)
        server.add("señal + 1", 10 + number)
    yield server
    server.stop()


@pytest.fixture
def token_file(tmp_path):
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def get(device, token_file, tmp_path):
    """Give a function that runs the command and returns its exit code."""
    return lambda *more: main(
        ["fetch", device.url, "--token-file", str(token_file), "--out", str(tmp_path / "data"), *more]
    )


def contents(folder):
    return {(path.parent.name, path.name): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_every_picture_is_fetched_once_and_then_only_what_is_new(device, get, tmp_path, capsys):
    assert get() == 0
    assert contents(tmp_path / "data") == device.pictures
    assert scan(tmp_path / "data").labels == ("cat", "señal + 1")
    device.add("cat", 99)
    device.requests.clear()
    assert get("--json") == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (found["new"], found["present"]) == (1, 12)
    assert len([path for path in device.requests if path.startswith("/review/file")]) == 1
    assert contents(tmp_path / "data") == device.pictures


@pytest.mark.parametrize(
    "changed",
    [
        {"label": "../evil"},
        {"label": ".hidden"},
        {"label": "a/b"},
        {"label": "a\\b"},
        {"label": "x\n"},
        {"label": ""},
        {"label": 7},
        {"label": "\ud800"},
        {"label": "l" * 101},
        {"name": "../../etc/cron.d/x"},
        {"name": "20261127-000000-000_b00000a_00000000.jpg/../x"},
        {"name": "20261127-000000-000_b00000a_00000000.jpg\n"},
        {"name": None},
        {"size": -1},
        {"size": 10**12},
        {"size": True},
        {"sha256": "0" * 64},
        {"sha256": "x"},
    ],
)
def test_entries_that_are_not_valid_are_refused_and_the_others_fetched(changed):
    content = b"content"
    digest = hashlib.sha256(content).hexdigest()
    good = {"label": "cat", "name": f"20261127-000000-000_b00000a_{digest[:8]}.jpg", "size": 7, "sha256": digest}
    page = parse_page(json.dumps({"files": [{**good, **changed}, good, 5], "next": None}).encode(), "list")
    assert [one.name for one in page.pictures] == [good["name"]]
    assert len(page.refused) == 2


def test_a_refused_entry_is_reported_with_exit_code_1(device, get, tmp_path, capsys):
    device.listed = [{"label": "../../evil", "name": "x", "size": 1, "sha256": ""}]
    assert get() == 1
    assert "the label '../../evil' cannot be the name of a class folder" in capsys.readouterr().err
    assert contents(tmp_path / "data") == device.pictures


@pytest.mark.parametrize("spoiled", [b"", b"short", b"picture 0" * 49 + b"picture X", b"x" * 100_000])
def test_other_content_than_listed_leaves_nothing(device, get, tmp_path, capsys, spoiled):
    first = min(device.pictures)
    device.spoil = lambda label, name, content: spoiled if (label, name) == first else content
    assert get() == 1
    assert first[1] in capsys.readouterr().err
    assert contents(tmp_path / "data") == {}
    device.spoil = lambda _label, _name, content: content
    assert get() == 0
    assert contents(tmp_path / "data") == device.pictures


def test_what_was_sorted_or_changed_here_is_left_alone(device, get, tmp_path, capsys):
    get()
    (first, second, *_) = sorted(name for label, name in device.pictures if label == "cat")
    data = tmp_path / "data"
    (data / "dog").mkdir()
    (data / "cat" / first).rename(data / "dog" / first)
    (data / "cat" / second).write_bytes(b"cropped")
    assert get() == 0
    error = capsys.readouterr().err
    assert f"dog/{first} (cat on the device)" in error
    assert f"cat/{second}" in error
    assert not (data / "cat" / first).exists()
    assert (data / "cat" / second).read_bytes() == b"cropped"


def test_the_limit_of_bytes_stops_it_and_a_repeated_command_continues(device, token_file, tmp_path):
    with pytest.raises(DataError, match="3 pictures of 0 MB were fetched; the next one exceeds the limit"):
        fetch(Device(device.url, TOKEN), tmp_path / "data", most_bytes=3 * 450)
    assert len(contents(tmp_path / "data")) == 3
    fetch(Device(device.url, TOKEN), tmp_path / "data", most_bytes=10**6)
    assert contents(tmp_path / "data") == device.pictures


COMMAND = "import sys; from trainer.cli import main; sys.exit(main(sys.argv[1:]))"


def test_a_kill_at_any_moment_leaves_only_whole_pictures_and_the_next_command_completes_them(
    device, get, token_file, tmp_path
):
    for number in range(200, 400):
        device.add("cat", number)
    words = ["fetch", device.url, "--token-file", token_file, "--out", tmp_path / "data"]
    generator = random.Random(3)
    for _ in range(3):
        before = len(device.requests)
        child = subprocess.Popen([sys.executable, "-c", COMMAND, *map(str, words)], stderr=subprocess.DEVNULL)
        while len(device.requests) < before + 5:  # it has begun
            assert child.poll() is None
            time.sleep(0.002)
        time.sleep(generator.uniform(0.0, 0.1))
        child.send_signal(signal.SIGKILL)
        child.wait()
        whole = {key: content for key, content in contents(tmp_path / "data").items() if not key[1].startswith(".")}
        assert whole.items() <= device.pictures.items()
    assert 0 < len(whole) < len(device.pictures)
    assert get() == 0
    found = contents(tmp_path / "data")
    assert found == device.pictures


def test_a_wrong_token_is_one_line(device, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("EDGE_RUN_TOKEN", "wrong")
    assert main(["fetch", device.url, "--out", str(tmp_path / "data")]) == 1
    assert "the device refuses the token" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (RedirectResponse("http://127.0.0.1:1/x"), "is not followed"),
        (Response(status_code=404), "edge-run must be of this version"),
        (Response(status_code=503), "answers with status 503"),
        (Response("<html>"), "not readable as JSON"),
        (JSONResponse({"files": "x"}), "'files' is not a list"),
        (JSONResponse({"files": [], "next": ""}), "'next' is not a cursor"),
    ],
)
def test_other_answers_are_one_line(device, get, capsys, answer, message):
    device.refusing = answer
    assert get() == 1
    assert message in capsys.readouterr().err


def test_a_list_that_never_ends_is_noticed(device, get, capsys):
    device.refusing = JSONResponse({"files": [], "next": "4"})
    assert get() == 1
    assert "the list does not advance" in capsys.readouterr().err


def test_a_broken_connection_is_tried_again_and_then_reported(tmp_path):
    waits = []
    device = Device("http://127.0.0.1:9", TOKEN, sleep=waits.append)
    with pytest.raises(DataError, match="Connection refused; check the address"):
        fetch(device, tmp_path / "data", most_bytes=10**6)
    assert waits == [1.0, 2.0]


def test_addresses_with_secrets_or_other_schemes_are_refused():
    assert parse_address("http://pi:8080/").path == ""
    for text in ("http://user:secret@pi", "ftp://pi", "pi:8080", "http://pi/?x=1", "http://pi:99999"):
        with pytest.raises(DataError) as problem:
            parse_address(text)
        assert "secret" not in str(problem.value)
