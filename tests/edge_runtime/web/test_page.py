"""The page in a real headless Chromium."""

from __future__ import annotations

import re
import time
from types import SimpleNamespace

import pytest
from PIL import Image

from edge_runtime.classify.decision import Scored
from edge_runtime.live.records import Event

TOKEN = "correct-horse-battery-staple"


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
    assert page.text("problem") == "This token is wrong."
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


def test_logging_out_leads_to_the_login_page(serving, live, browser):
    server = serving(token=TOKEN)
    live(server.hub)
    page = browser()
    page.open(f"{server.address}?token={TOKEN}")
    page.until("return document.getElementById('logout') && !document.getElementById('logout').hidden")
    page.run("document.querySelector('#logout button').click()")
    page.until("return location.pathname === '/login'")
    page.open(server.address)
    assert page.address() == f"{server.address}login"


def test_unknown_shows_no_score_of_another_class(serving, browser, make_prediction, make_frame):
    server = serving()
    page = browser()
    page.open(server.address)
    server.hub.frame(make_frame())
    top = (Scored("red", 0.43), Scored("green", 0.3))
    server.hub.prediction(make_prediction(1, "unknown", score=0.43, stable="unknown", top=top))
    page.until("return document.getElementById('label').textContent === 'unknown'")
    assert page.text("score") == ""
    assert "%" not in page.text("overlay")


def test_the_decision_in_the_making_and_the_region_are_shown(serving, browser, make_prediction, make_frame):
    server = serving(roi=(16, 12, 32, 24))
    server.hub.frame(make_frame(1), ("green", 2, 3))
    server.hub.prediction(make_prediction(1, "red"))
    page = browser()
    page.open(server.address)
    page.until("return document.getElementById('candidate').textContent")
    assert page.text("candidate") == "red \N{RIGHTWARDS ARROW} green, 2 of 3 votes"
    page.until("return document.getElementById('region').getAttribute('viewBox') === '0 0 64 48'")
    box = page.run(
        "const box = document.getElementById('region-box').getBoundingClientRect();"
        "const frame = document.querySelector('.frame').getBoundingClientRect();"
        "return [box.left - frame.left, box.width, box.height, frame.width, frame.height]"
    )
    assert box[0] == pytest.approx(box[3] / 4, abs=3)
    assert box[1] == pytest.approx(box[3] / 2, abs=3)
    assert box[2] == pytest.approx(box[4] / 2, abs=3)


def test_an_ended_video_says_so_and_nothing_looks_live(serving, browser, make_prediction, make_frame):
    server = serving()
    server.hub.frame(make_frame())
    server.hub.prediction(make_prediction())
    server.hub.end()
    page = browser()
    page.open(server.address)
    page.until("return document.getElementById('status').textContent === 'The video has ended'")
    assert page.run("return document.body.classList.contains('old')")
    assert page.text("fps") == "\N{EN DASH}"


def test_when_the_server_is_gone_nothing_looks_live(serving, live, browser):
    server = serving()
    live(server.hub)
    page = browser()
    page.open(server.address)
    page.until("return document.getElementById('status').textContent === 'Live'")
    server.stop.set()
    page.until("return document.getElementById('status').textContent === 'Reconnecting'")
    assert page.run("return document.body.classList.contains('old')")
    assert {page.text(name) for name in ("fps", "age", "since", "temperature")} == {"\N{EN DASH}"}


def test_old_events_have_a_date_can_be_filtered_opened_and_downloaded(serving, browser, image_bytes):
    server = serving()
    server.hub.restore([Event("entered", "cam", 1e9, "red", 0.9, thumbnail=image_bytes("red"))])
    server.hub.event(Event("left", "cam", time.time(), "green", 0.8, 3.0))
    server.hub.event(Event("lost", "cam", time.time(), detail="unplugged"))
    page = browser()
    page.open(server.address)
    page.until("return document.querySelectorAll('#events li').length === 3")
    shown = (
        "return [...document.querySelectorAll('#events li')].filter((row) => !row.hidden).map((row) => row.innerText)"
    )
    first = page.run(shown)[-1]
    assert "2001" in first
    assert "red entered" in first
    choose = "const f = document.getElementById('filter'); f.value = arguments[0]; f.onchange()"
    page.run(choose, "green")
    assert [text.split("\n")[0] for text in page.run(shown)] == ["green left"]
    page.run(choose, "\0camera")
    assert "Camera lost" in page.run(shown)[0]
    page.run(choose, "blue")
    assert page.text("no-events") == "No events of this kind"
    page.run(choose, "")
    link = page.run("return document.querySelector('a.thumbnail').href")
    page.open(link)
    assert page.run("return document.images[0].naturalWidth") == 64
    page.open(server.address)
    text = page.run(
        "const r = new XMLHttpRequest(); r.open('GET', '/events.csv', false); r.send(); return r.responseText"
    )
    assert text.splitlines()[0] == "time,event,label,score,duration_s,source,frame,detail,familiarity"
    assert text.splitlines()[1] == "2001-09-09T01:46:40.000+00:00,entered,red,0.9,0.0,cam,0,,"


def test_a_phone_in_landscape_shows_the_label_on_the_picture(serving, live, browser):
    server = serving()
    live(server.hub)
    page = browser()
    page.open(server.address)
    page.until("return document.getElementById('overlay').textContent")
    display = "return getComputedStyle(document.getElementById('overlay')).display"
    assert page.run(display) == "none"
    page.resize(844, 390)
    assert page.run(display) == "block"
    bottom, height = page.run(
        "return [document.querySelector('.frame').getBoundingClientRect().bottom, window.innerHeight]"
    )
    assert bottom <= height
    assert page.run("return document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
def test_axe_finds_nothing_serious(serving, live, browser, axe_violations, phone, dark):
    server = serving(token=TOKEN, title="Porch", roi=(4, 4, 20, 20))
    live(server.hub)
    page = browser(phone=phone)
    if dark:
        page.prefer_dark()
    page.open(server.address)
    assert axe_violations(page) == []
    page.type_into("#token", "wrong-but-long-enough\n")
    page.until("return document.getElementById('problem')")
    assert axe_violations(page) == []
    page.open(f"{server.address}?token={TOKEN}")
    page.until("return document.querySelectorAll('#events li').length > 1")
    page.run("document.querySelector('details').open = true")
    page.until("return getComputedStyle(document.querySelector('.verdict')).opacity === '1'")
    assert axe_violations(page) == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_border_of_the_token_field_is_visible(serving, browser, dark):
    """WCAG 1.4.11: a contrast of 3:1 with the colors inside and outside of the field."""
    page = browser()
    if dark:
        page.prefer_dark()
    page.open(f"{serving(token=TOKEN).address}login")
    colors = page.run(
        "const field = getComputedStyle(document.getElementById('token'));"
        "const card = getComputedStyle(document.querySelector('form'));"
        "return [field.borderTopColor, field.backgroundColor, card.backgroundColor]"
    )
    border, inside, outside = (luminance(color) for color in colors)
    assert contrast(border, inside) >= 3
    assert contrast(border, outside) >= 3


def luminance(color):
    """Return the relative luminance of a color such as rgb(1, 2, 3), as WCAG defines it."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", color)[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    light, dark = max(one, other), min(one, other)
    return (light + 0.05) / (dark + 0.05)


DRIFT = {
    "reasons": [
        {"name": "darker", "since": 1.0, "sentence": "darker than in training, since Tuesday 14:05"},
        {"name": "unfamiliar", "since": 1.0, "sentence": "<b>52%</b> of what it sees is unfamiliar, since 09:12"},
    ],
    "positions": {
        "brightness": 0.02,
        "contrast": 0.3,
        "sharpness": 0.55,
        "colourfulness": 0.48,
        "redness": 0.5,
        "yellowness": 0.61,
    },
    "unfamiliar": 0.52,
}


@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
def test_the_page_says_what_is_different_from_training(serving, live, browser, phone):
    drift = SimpleNamespace(snapshot=DRIFT)
    server = serving(drift=drift)
    live(server.hub)
    page = browser(phone=phone)
    page.open(server.address)
    page.until("return document.querySelectorAll('#drift-reasons li').length === 2")
    assert "<b>52%</b> of what it sees" in page.text("drift-reasons")
    page.run("document.querySelector('#drift details').open = true")
    assert page.run("return document.querySelectorAll('#drift-positions li').length") == 6
    assert page.run("return document.documentElement.scrollWidth <= window.innerWidth")
    drift.snapshot = {**DRIFT, "reasons": []}
    page.until("return document.getElementById('drift-summary').textContent === 'As in the training photographs'")
    assert page.run("return document.querySelector('#drift details').open")
    assert page.console() == []


def test_a_server_that_compares_nothing_shows_no_card_for_it(serving, live, browser):
    server = serving()
    live(server.hub)
    page = browser()
    page.open(server.address)
    page.until("return !document.getElementById('picture').hidden")
    assert page.run("return document.getElementById('drift').hidden")
