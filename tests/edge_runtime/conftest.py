"""What the runtime's tests share."""

from __future__ import annotations

import getpass
import json
import os
import shutil
import socket
import subprocess
import time
from dataclasses import replace

import pytest
from PIL import Image
from png import plain_png

from edge_runtime.cli import main


@pytest.fixture
def make_spec(spec):
    """Give a spec of a colour classifier with some values changed."""

    def make(**changes):
        return replace(spec, **{"thresholds": (), **changes})

    return make


@pytest.fixture
def bundle_of(tmp_path, write_bundle):
    """Give a function that writes a bundle of the model files that the test wants."""

    def write(spec, models):
        return write_bundle(tmp_path / "bundle", spec, models, default=next(iter(models)))

    return write


@pytest.fixture
def edit_manifest():
    """Give a function that loads a bundle's manifest, lets the test change it, and writes it back."""

    def edit(bundle, change):
        path = bundle / "manifest.json"
        manifest = json.loads(path.read_text())
        change(manifest)
        path.write_text(json.dumps(manifest))

    return edit


@pytest.fixture(scope="session")
def huge_image(tmp_path_factory):
    """400 million pixels in a small file."""
    path = tmp_path_factory.mktemp("huge") / "huge.png"
    path.write_bytes(plain_png(20_000, 20_000))
    return path


@pytest.fixture
def bad_images(tmp_path, huge_image):
    """Files that a camera roll may hold and no decoder can use, by what is wrong."""
    folder = tmp_path / "bad"
    folder.mkdir()
    whole = tmp_path / "whole.jpg"
    Image.effect_noise((200, 150), 60).convert("RGB").save(whole)
    (folder / "truncated.jpg").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    whole.unlink()
    (folder / "text.jpg").write_text("these are no pixels\n")
    (folder / "empty.jpg").write_bytes(b"")
    os.link(huge_image, folder / "huge.png")
    return {path.stem: path for path in folder.iterdir()}


@pytest.fixture
def edge_run(capfd):
    """Give a function that runs the command in this process: exit code, lines of stdout, lines of stderr."""

    def run(*argv):
        code = main([str(argument) for argument in argv])
        out, err = capfd.readouterr()
        return code, out.splitlines(), err.splitlines()

    return run


@pytest.fixture
def refused(edge_run):
    """Give a function that runs the command and demands an expected failure told in one line, which it returns."""

    def run(*argv):
        code, out, err = edge_run(*argv)
        assert code == 1
        assert out == []
        assert len(err) == 1, err
        assert err[0].startswith("edge-run: ")
        return err[0]

    return run


@pytest.fixture
def wait_until():
    """Give a function that waits until a condition holds, and fails when it never does."""

    def wait(condition, timeout_s=20.0):
        ends_s = time.monotonic() + timeout_s
        while time.monotonic() < ends_s:
            try:
                if condition():
                    return
            except (IndexError, KeyError):
                pass
            time.sleep(0.005)
        pytest.fail("the condition never held")

    return wait


@pytest.fixture
def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def broker(free_port, wait_until, tmp_path):
    """A Mosquitto that can be stopped and started again; it keeps the messages that subscribers have not received."""
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if program is None:
        pytest.skip("needs Debian's mosquitto")
    config = tmp_path / "mosquitto.conf"
    user = f"user {getpass.getuser()}\n"  # if root starts it, it changes to a user that cannot write here
    kept = f"persistence true\npersistence_location {tmp_path}/\n"
    config.write_text(f"{user}listener {free_port} 127.0.0.1\nallow_anonymous true\n{kept}")

    class Running:
        port = free_port
        process = None

        def start(self):
            self.process = subprocess.Popen(
                [program, "-c", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            wait_until(self.answers)

        def stop(self):
            self.process.terminate()
            self.process.wait()

        def answers(self):
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", free_port)) == 0

    running = Running()
    running.start()
    yield running
    running.stop()
