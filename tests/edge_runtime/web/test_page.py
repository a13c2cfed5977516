"""The page in a real headless Chromium."""

from __future__ import annotations

import functools
import shutil
import socket
import time

import pytest
from chromium import browsers
from PIL import Image

from edge_runtime.live.records import Event

TOKEN = "correct-horse-battery-staple"


@pytest.fixture(scope="module")
def chromium():
    """Return a function that opens a browser with the window size of a desktop or a phone, once for all tests."""
    for program in ("chromium", "chromedriver"):
        if shutil.which(program) is None:
            pytest.skip(f"needs Debian's {program}")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with browsers(port) as open_browser:
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


@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
def test_the_page_shows_live_results_classifies_an_upload_and_fits_the_window(
    serving, live, browser, photo, tmp_path, phone
):
    server = serving(title="Porch")
    live(server.hub)
    page = browser(phone=phone)
    page.open(server.address)
    page.until("return !document.getElementById('picture').hidden")
    assert page.text("status") == "Live"
    assert page.text("title") == "Porch"

    before = page.text("source")
    page.until(f"return document.getElementById('source').textContent !== {before!r}")
    label = page.text("label")
    page.until(f"return document.getElementById('label').textContent !== {label!r}")
    page.until("return document.querySelectorAll('#events li').length > 1")
    page.until("return document.getElementById('picture').naturalWidth === 64")
    assert len(page.run("return [...document.querySelectorAll('#bars li')].map((row) => row.textContent)")) == 3
    assert float(page.text("fps")) > 1

    page.type_into("#file", photo("green"))
    page.until("return document.getElementById('answer-score').textContent")
    assert page.text("answer-label") == "green"

    page.screenshot(tmp_path / "page.png")
    with Image.open(tmp_path / "page.png") as picture:
        assert picture.width == (780 if phone else pytest.approx(1280, abs=20))
    assert page.run("return document.documentElement.scrollWidth <= window.innerWidth")
    assert page.console() == []


def test_the_page_is_dark_if_the_browser_prefers_dark_colors(serving, browser):
    page = browser()
    page.open(serving().address)
    color = "return getComputedStyle(document.body).backgroundColor"
    light = page.run(color)
    page.prefer_dark()
    assert page.run(color) != light
    assert page.text("status") == "Connecting" or page.until(
        "return document.getElementById('status').textContent === 'Waiting for the camera'"
    )


def test_a_stopped_camera_is_shown_and_text_is_never_inserted_as_html(serving, browser, make_prediction, make_frame):
    server = serving()
    page = browser()
    server.hub.frame(make_frame())
    server.hub.prediction(make_prediction(stable="<img src=x onerror=alert(1)>"))
    server.hub.event(Event("lost", "cam", 1e9, detail="<b>unplugged</b>"))
    server.hub._clock = lambda: time.monotonic() + 60  # a minute later
    page.open(server.address)
    page.until("return document.getElementById('status').textContent.startsWith('No new frame for')")
    assert page.text("label") == "<img src=x onerror=alert(1)>"
    assert "Camera lost<b>unplugged</b>" in page.text("events")
    assert page.run("return document.body.classList.contains('old')")
    assert page.text("fps") == "\N{EN DASH}"
    page.until("return getComputedStyle(document.querySelector('.verdict')).opacity < 0.5")
    assert page.console() == []


def test_the_page_reconnects_after_the_server_has_restarted(serving, live, browser):
    server = serving()
    live(server.hub)
    page = browser()
    page.open(server.address)
    page.until("return document.getElementById('status').textContent === 'Live'")
    server.stop.set()
    page.until("return document.getElementById('status').textContent === 'Reconnecting'")
    server.thread.join(20)
    live(serving(port=server.port, title="Back").hub)
    page.until("return document.getElementById('status').textContent === 'Live'")
    assert page.text("title") == "Back"


def test_the_login_page_asks_for_the_token_and_then_opens_the_page(serving, live, browser):
    server = serving(token=TOKEN)
    live(server.hub)
    page = browser()
    page.open(server.address)
    assert page.address() == f"{server.address}login"
    page.type_into("#token", "wrong-but-long-enough\n")
    page.until("return !document.getElementById('token').value")
    assert page.address() == f"{server.address}login"
    page.console()  # the browser logs the refused login
    page.type_into("#token", f"{TOKEN}\n")
    page.until("return document.getElementById('status') && document.getElementById('status').textContent === 'Live'")
    assert page.address() == server.address
    assert page.console() == []


def test_a_link_with_the_token_opens_the_page_and_hides_the_token(serving, live, browser):
    server = serving(token=TOKEN)
    live(server.hub)
    page = browser()
    page.open(f"{server.address}?token={TOKEN}")
    page.until("return document.getElementById('status') && document.getElementById('status').textContent === 'Live'")
    assert page.address() == server.address
