"""Control a headless Chromium through chromedriver (W3C WebDriver), with the standard library."""

from __future__ import annotations

import base64
import json
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress

import pytest

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the key of an element's id in the WebDriver standard


class Browser:
    """One session of one browser."""

    def __init__(self, url, profile, *, phone=False):
        size = {"width": 390, "height": 844, "pixelRatio": 2} if phone else None
        options = {
            "binary": shutil.which("chromium"),
            "args": [*FLAGS, "--window-size=1280,900", f"--user-data-dir={profile}"],
        }
        if phone:
            options["mobileEmulation"] = {"deviceMetrics": size}
        capabilities = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        self._url, self._resized, self._phone = url, False, phone
        session = self._call("POST", "/session", {"capabilities": {"alwaysMatch": capabilities}})
        self._url = f"{url}/session/{session['sessionId']}"

    def _call(self, method, path, body=None):
        data = None if method in {"GET", "DELETE"} else json.dumps(body or {}).encode()
        request = urllib.request.Request(self._url + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return json.load(response)["value"]
        except urllib.error.HTTPError as problem:
            raise RuntimeError(problem.read().decode()[:500]) from None

    def open(self, address):
        self._call("POST", "/url", {"url": address})

    def address(self):
        return self._call("GET", "/url")

    def run(self, script, *arguments):
        return self._call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def check(self, script, *arguments):
        """Run a script that calls its last argument with the result."""
        return self._call("POST", "/execute/async", {"script": script, "args": list(arguments)})

    def text(self, name):
        return self.run("return document.getElementById(arguments[0]).textContent", name)

    def type_into(self, selector, text):
        found = self._call("POST", "/element", {"using": "css selector", "value": selector})
        self._call("POST", f"/element/{found[ELEMENT]}/value", {"text": str(text)})

    def press(self, selector, hold_s=0.0):
        """Press an element with the mouse, or the finger of a phone, and release it after some seconds."""
        found = self._call("POST", "/element", {"using": "css selector", "value": selector})
        kind = "touch" if self._phone else "mouse"
        self._act(
            {"type": "pointerMove", "duration": 0, "x": 0, "y": 0, "origin": {ELEMENT: found[ELEMENT]}},
            {"type": "pointerDown", "button": 0},
            {"type": "pause", "duration": round(hold_s * 1000)},
            {"type": "pointerUp", "button": 0},
            source={"type": "pointer", "id": "finger", "parameters": {"pointerType": kind}},
        )

    def keys(self, key, hold_s=0.0):
        """Press a key, and release it after some seconds."""
        self._act(
            {"type": "keyDown", "value": key},
            {"type": "pause", "duration": round(hold_s * 1000)},
            {"type": "keyUp", "value": key},
            source={"type": "key", "id": "keyboard"},
        )

    def _act(self, *actions, source):
        self._call("POST", "/actions", {"actions": [{**source, "actions": list(actions)}]})

    def until(self, script, timeout_s=20.0):
        deadline = time.monotonic() + timeout_s
        while not (value := self.run(script)):
            assert time.monotonic() < deadline, f"still false after {timeout_s} s: {script}; console: {self.console()}"
            time.sleep(0.05)
        return value

    def console(self):
        """Return the console messages since the last call, as (level, message)."""
        return [(entry["level"], entry["message"]) for entry in self._call("POST", "/se/log", {"type": "browser"})]

    def reset(self):
        """Remove the state of the previous test: its page, cookies, color scheme and console messages."""
        self._cdp("Emulation.setEmulatedMedia", {"features": []})
        if self._resized:
            self._cdp("Emulation.clearDeviceMetricsOverride", {})
            self._resized = False
        self._call("DELETE", "/cookie")
        self.open("about:blank")
        self.console()

    def resize(self, width, height):
        """Show the page in a window of another size until the next reset."""
        self._resized = True
        metrics = {"width": width, "height": height, "deviceScaleFactor": 2, "mobile": False}
        self._cdp("Emulation.setDeviceMetricsOverride", metrics)

    def prefer_dark(self):
        features = [{"name": "prefers-color-scheme", "value": "dark"}]
        self._cdp("Emulation.setEmulatedMedia", {"features": features})

    def screenshot(self, path):
        """Write a screenshot of the complete page as a PNG."""
        shot = self._cdp("Page.captureScreenshot", {"captureBeyondViewport": True, "format": "png"})
        path.write_bytes(base64.b64decode(shot["data"]))

    def _cdp(self, command, parameters):
        return self._call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def quit(self):
        with suppress(OSError, RuntimeError):
            self._call("DELETE", "")


def _wait_for(port):
    deadline = time.monotonic() + 20
    with socket.socket() as probe:
        while probe.connect_ex(("127.0.0.1", port)):
            assert time.monotonic() < deadline, "chromedriver does not respond"
            time.sleep(0.05)


@contextmanager
def browsers():
    """Start chromedriver and yield a function that opens browsers, all closed at the end. Skip the test without it."""
    for program in ("chromium", "chromedriver"):
        if shutil.which(program) is None:
            pytest.skip(f"needs Debian's {program}")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    opened = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        driver = subprocess.Popen(
            [shutil.which("chromedriver"), f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

        def open_browser(**options):
            profile = tempfile.mkdtemp(dir=folder)
            opened.append(Browser(f"http://127.0.0.1:{port}", profile, **options))
            return opened[-1]

        try:
            _wait_for(port)
            yield open_browser
        finally:
            for browser in opened:
                browser.quit()
            driver.terminate()
            driver.wait()
