"""A repository, a server for it, and devices that update from it."""

from __future__ import annotations

import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from edge_runtime.storage.json_files import read_json, write_json
from edge_runtime.update.prove import Limits
from export.errors import ExportError
from export.release.metadata import SignedMetadata


@pytest.fixture
def repository(tmp_path):
    """A new repository without releases."""
    made = SignedMetadata(tmp_path / "repository", tmp_path / "keys", None)
    made.create()
    return made


@pytest.fixture
def bundle_named(tmp_path, tiny_bundle):
    """Give a function that makes a sound bundle that differs from the others in its manifest alone."""

    def make(name):
        copy = tmp_path / name
        shutil.copytree(tiny_bundle, copy)
        manifest = read_json(copy / "manifest.json", ExportError)
        manifest["versions"]["release"] = name
        write_json(copy / "manifest.json", manifest)
        return copy

    return make


class QuietHandler(SimpleHTTPRequestHandler):
    """Serve a folder without a line for each request."""

    def log_message(self, *_):
        pass


@pytest.fixture
def served():
    """Give a function that serves a folder over HTTP and returns its address."""
    servers = []

    def serve(folder, handler=QuietHandler):
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder)))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


GENEROUS = Limits(max_ms=1e4, max_bytes=1 << 40)  # what the tests are about is not the speed of this machine


@pytest.fixture
def device(tmp_path, repository):
    """Give a function that updates a device once and returns the outcome."""
    from edge_runtime.update.models import locked
    from edge_runtime.update.update import Source, Steps, update_once

    def update(location=None, *, limits=GENEROUS, steps=Steps(shadow_s=0, probation_s=0), name="models"):  # noqa: B008 - a frozen value
        source = Source(str(location or repository.folder), "stable", repository.folder / "root.json")
        with locked(tmp_path / name) as models:
            return update_once(models, source, limits, steps, lambda _: None)

    return update
