"""The server behind a real nginx, configured as docs/service.md shows."""

from __future__ import annotations

import http.client
import re
import shutil
import socket
import ssl
import subprocess
from pathlib import Path

import pytest
from manual import ROOT

from edge_runtime.web.protection.access import parse_public_url

TOKEN = "correct-horse-battery-staple"
HOST = "camera.example.org"
CONFIGURATION = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    {paths}
    {server}
}}
"""


def program(name):
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if found is None:
        pytest.skip(f"needs {name} (Debian's nginx-light and openssl)")
    return found


@pytest.fixture
def proxy(tmp_path, wait_until):
    """Return a function that starts nginx in front of a port, and returns its own port."""
    running = []
    nginx, openssl = program("nginx"), program("openssl")

    def start(server_port):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={HOST}"]
        certificate = ["-keyout", tmp_path / "privkey.pem", "-out", tmp_path / "fullchain.pem"]
        subprocess.run([openssl, *request, *certificate], check=True, capture_output=True)
        page = Path(ROOT, "docs", "service.md").read_text()
        server = re.search(r"```nginx\n(.*?)```", page, re.DOTALL)[1]
        server = server.replace("443", f"127.0.0.1:{port}").replace("127.0.0.1:8080", f"127.0.0.1:{server_port}")
        server = server.replace(f"/etc/letsencrypt/live/{HOST}", str(tmp_path))
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        paths = "".join(f"{kind}_temp_path {tmp_path}/{kind}; " for kind in kinds)
        configuration = tmp_path / "nginx.conf"
        configuration.write_text(CONFIGURATION.format(folder=tmp_path, paths=paths, server=server))
        command = [nginx, "-p", tmp_path, "-c", configuration, "-e", tmp_path / "error.log"]
        running.append(subprocess.Popen(command, stderr=subprocess.DEVNULL))

        def answers():
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        wait_until(answers)
        return port

    yield start
    for process in running:
        process.terminate()
        process.wait(10)


@pytest.fixture
def ask(serving, proxy, make_prediction):
    """Return a function that sends a request to nginx as a browser does."""
    server = serving(token=TOKEN, public_url=parse_public_url(f"https://{HOST}"), stale_s=60.0)
    server.hub.prediction(make_prediction())
    port = proxy(server.port)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    def send(method, path, body=None, **headers):
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=20, context=context)
        connection.request(method, path, body, {"Host": HOST, **headers})
        return connection.getresponse()

    return send


def test_a_browser_logs_in_watches_classifies_and_logs_out_through_the_proxy(ask, image_bytes):
    assert ask("GET", "/healthz").status == 200
    assert ask("GET", "/state").status == 401
    origin = {"Origin": f"https://{HOST}"}
    answer = ask("POST", "/login", f"token={TOKEN}", **origin)
    cookie = answer.headers["Set-Cookie"]
    assert (answer.status, answer.headers["Location"]) == (303, "/")
    assert "Secure" in cookie
    session = {"Cookie": cookie.split(";")[0]}
    assert ask("GET", "/", **session).status == 200
    assert (
        ask("POST", "/classify", image_bytes("red", size=(2000, 1500), form="BMP"), **origin, **session).status == 200
    )
    stream = ask("GET", "/events", **session)
    assert [stream.readline() for _ in range(2)] == [b"retry: 1000\n", b"event: hello\n"]  # at once, not collected
    assert ask("POST", "/logout", **origin, **session).status == 303
    assert ask("GET", "/state", **session).status == 401


def test_other_web_sites_are_refused_through_the_proxy(ask, image_bytes):
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    assert ask("POST", "/classify", image_bytes("red"), Origin="https://evil.example", **bearer).status == 403
    assert ask("GET", "/state", **{**bearer, "Host": "evil.example"}).status == 403
    assert ask("GET", "/state", **bearer).status == 200
