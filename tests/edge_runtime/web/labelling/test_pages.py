"""The pages that collect and review, in a real headless Chromium."""

from __future__ import annotations

import time

import pytest

from edge_runtime.collection.keeper import Keeper, Limits, Model
from edge_runtime.collection.review.reviews import Reviews
from edge_runtime.collection.store import picture_names
from edge_runtime.live.records import Event, Frame

COUNTS = "return [...document.querySelectorAll('.class .count')].map((item) => item.textContent).join(' ')"
TILES = "return document.querySelectorAll('#grid li').length"


@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
def test_two_classes_are_collected_by_presses_and_holds(collect_server, browser, phone):
    server = collect_server(("cat", "dog"), roi=(8, 8, 32, 24))
    page = browser(phone=phone)
    page.open(server.address)
    page.until("return !document.getElementById('picture').hidden")
    page.until("return document.querySelectorAll('.class').length === 2")
    assert page.text("status") == "Live"
    page.until("return document.getElementById('region-box').getAttribute('width') === '32'")

    page.press(".class[data-label=cat]")
    page.until(f"{COUNTS} === '1 0'")
    page.press(".class[data-label=dog]", hold_s=1.3)
    page.until("return +document.querySelector('.class[data-label=dog] .count').textContent >= 3")
    time.sleep(0.6)
    counts = page.run(COUNTS)
    time.sleep(0.5)
    assert page.run(COUNTS) == counts  # the hold has ended
    assert len(list(picture_names(server.collector.folder / "cat"))) == 1
    page.until("return document.querySelectorAll('#strip li').length >= 4")
    assert page.run("return document.documentElement.scrollWidth <= window.innerWidth")

    page.press("#undo")  # all of the hold
    page.until(f"{COUNTS} === '1 0'")
    page.press(".drop-shot")
    page.until(f"{COUNTS} === '0 0'")
    page.press("#undo")
    page.until(f"{COUNTS} === '1 0'")
    page.press("#strip .look")
    page.until(
        "return document.getElementById('viewer').open && document.getElementById('viewer-picture').naturalWidth"
    )
    assert page.run("return document.getElementById('viewer-picture').naturalWidth") == 32  # the region alone
    assert page.console() == []


def test_pictures_are_collected_with_the_keyboard_alone(collect_server, browser):
    server = collect_server()
    page = browser()
    page.open(server.address)
    page.until("return document.getElementById('status').textContent === 'Live'")
    page.until("return document.querySelectorAll('.class').length === 3")
    page.keys("3")
    page.until(f"{COUNTS} === '0 0 1'")
    page.keys("2", hold_s=1.4)
    page.until("return +document.querySelector('.class[data-label=dog] .count').textContent >= 2")
    page.keys("u")
    page.until(f"{COUNTS} === '0 0 1'")
    page.keys("\ue004")  # the tabulator
    while page.run("return document.activeElement.dataset.label") != "cat":
        page.keys("\ue004")
    page.keys(" ")
    page.until(f"{COUNTS} === '1 0 1'")
    page.keys("\ue007")  # Enter
    page.until(f"{COUNTS} === '2 0 1'")
    assert page.console() == []


def test_a_camera_that_sends_nothing_is_shown_and_a_press_says_so(collect_server, browser):
    server = collect_server(live=False)
    server.view.fail("<b>unplugged</b>")
    page = browser()
    page.open(server.address)
    page.until("return document.getElementById('status').textContent === 'No frames: <b>unplugged</b>'")
    page.press(".class")
    page.until("return document.getElementById('message').textContent.includes('no frames <b>unplugged')")
    assert page.run("return document.getElementById('message').classList.contains('problem')")


@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
def test_frames_are_reviewed_by_pressing(keep, review_server, browser, tmp_path, phone):
    names = [keep(number, "cat" if number % 2 else "dog") for number in range(6)]
    page = browser(phone=phone)
    page.open(review_server().address)
    page.until(f"{TILES} === 6")
    page.until("return document.querySelector('#grid img').naturalWidth > 0")
    page.press("#grid li:nth-child(1)")
    page.press("#grid li:nth-child(3)")
    assert page.text("selected") == "2 selected"
    page.press("#labels [data-label=nothing]")
    page.until(f"{TILES} === 4")
    assert sorted(picture_names(tmp_path / "reviewed/nothing")) == sorted([names[5], names[3]])
    page.press("#all")
    page.press("#confirm")
    page.until(f"{TILES} === 0")
    page.until("return !document.getElementById('no-frames').hidden")
    assert sorted(picture_names(tmp_path / "reviewed/cat")) == [names[1]]
    page.press("#undo")
    page.until(f"{TILES} === 4")
    page.until("return document.getElementById('group').options.length >= 4")
    page.run("document.getElementById('group').value = 'reviewed/nothing'; document.getElementById('group').onchange()")
    page.until(f"{TILES} === 2")
    page.press("#all")
    page.press("#return")
    page.until(f"{TILES} === 0")
    assert sorted(picture_names(tmp_path / "kept")) == sorted(names)
    assert page.run("return document.documentElement.scrollWidth <= window.innerWidth")
    assert page.console() == []


def test_frames_are_reviewed_with_the_keyboard_alone(keep, review_server, browser, tmp_path):
    names = [keep(number, reason="random") for number in range(8)][::-1]  # as they are shown, newest first
    page = browser()
    page.open(review_server().address)
    page.until(f"{TILES} === 8")
    page.keys("2")  # the first frame is active: dog
    page.until(f"{TILES} === 7")
    page.keys("\ue014")  # right: to the third frame
    page.keys(" ")
    page.keys("\ue014")
    page.keys(" ")
    assert page.text("selected") == "2 selected"
    page.keys("0")
    page.until(f"{TILES} === 5")
    page.keys("\ue007")  # Enter confirms
    page.until(f"{TILES} === 4")
    page.keys("\ue017")  # Delete
    page.until(f"{TILES} === 3")
    page.keys("u")
    page.until(f"{TILES} === 4")
    assert set(picture_names(tmp_path / "reviewed/dog")) == {names[0]}
    assert set(picture_names(tmp_path / "reviewed/nothing")) == {names[2], names[3]}
    assert len(list(picture_names(tmp_path / "reviewed/cat"))) == 1
    page.until("return document.getElementById('accuracy').textContent.includes('right in the field')")
    assert page.text("accuracy").startswith("25.0\N{NO-BREAK SPACE}% right in the field (95% interval 4.6")
    page.keys("v")
    page.until("return document.getElementById('viewer').open")
    page.keys("\ue00c")  # Escape
    page.until("return !document.getElementById('viewer').open")
    assert page.console() == []


def test_more_frames_are_loaded_when_they_are_needed(keep, review_server, browser):
    for number in range(240):
        keep(number)
    page = browser()
    page.open(review_server().address)
    page.until(f"{TILES} >= 60")
    first = page.run(TILES)
    assert first < 240
    page.until(f"window.scrollTo(0, document.body.scrollHeight); {TILES} === 240")
    assert page.run("return new Set([...document.querySelectorAll('#grid li')].map((item) => item.id)).size") == 240


@pytest.fixture
def watched(serving, make_prediction, make_scene, tmp_path):
    """Serve a live page on which events appear whose frames are kept, as with --keep-hard."""
    keeper = Keeper(
        tmp_path, Model("ab" * 32, "int8.tflite"), Limits(per_minute=6000, random_share=0, min_free_bytes=0)
    )
    server = serving(keeper=keeper, reviews=Reviews(tmp_path, ["red", "green", "blue"]))
    number = 0

    def show(label):
        nonlocal number
        number += 1
        frame = Frame("cam", number, make_scene(number), time.time(), float(10 * number))
        prediction = make_prediction(number, label)
        server.hub.frame(frame)
        keeper.offer(frame, prediction)
        server.hub.prediction(prediction)
        server.hub.event(Event("entered", "cam", time.time(), label, 0.9, frame=number, thumbnail=make_scene(number)))

    yield server, show
    keeper.close()


def test_an_event_on_the_live_page_can_be_corrected(watched, browser, tmp_path):
    server, show = watched
    page = browser()
    page.open(server.address)
    page.until("return !document.getElementById('review').hidden")
    show("red")
    page.until("return document.querySelector('.correction button')")
    page.press(".correction button")
    offered = page.run("return [...document.querySelectorAll('.correction button')].map((item) => item.textContent)")
    assert offered == ["green", "blue", "nothing", "Cancel"]
    page.press(".correction button:nth-of-type(2)")
    page.until("return document.querySelector('.correction').textContent.startsWith('Labelled blue')")
    assert len(list(picture_names(tmp_path / "reviewed/blue"))) == 1
    page.press(".correction button")  # Change
    page.press(".correction button:nth-of-type(3)")
    page.until("return document.querySelector('.correction').textContent.startsWith('Labelled nothing')")
    assert len(list(picture_names(tmp_path / "reviewed/nothing"))) == 1
    page.press("#review")
    page.until("return location.pathname === '/review'")
    assert page.console() == []


def test_events_from_before_the_start_and_frames_that_were_not_kept_cannot_be_corrected(serving, browser, tmp_path):
    server = serving(reviews=Reviews(tmp_path, ["red"]))
    server.hub.restore([Event("entered", "cam", 1e9, "red", 0.9, frame=1)])
    page = browser()
    page.open(server.address)
    page.until("return document.querySelectorAll('#events li').length === 1")
    assert page.run("noteKept({ frame: 1, name: 'x' }); return document.querySelectorAll('.correction').length") == 0
    server.hub.event(Event("entered", "cam", 1e9, "red", 0.9, frame=2))
    page.until("return document.querySelectorAll('#events li').length === 2")
    assert page.run("return document.querySelectorAll('.correction').length") == 0


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
def test_axe_finds_nothing_serious(keep, review_server, collect_server, watched, browser, axe_violations, phone, dark):
    for number in range(4):
        keep(number, reason="random") if number else None
    collect, (live, show) = collect_server(roi=(4, 4, 20, 20)), watched
    page = browser(phone=phone)
    if dark:
        page.prefer_dark()
    page.open(collect.address)
    page.until("return document.getElementById('status').textContent === 'Live'")
    page.until("return document.querySelectorAll('.class').length === 3")
    page.press(".class")
    page.until("return document.querySelectorAll('#strip li').length === 1")
    time.sleep(0.8)  # the flash of the button
    assert axe_violations(page) == []
    page.open(review_server().address)
    page.until(f"{TILES} === 3")
    page.press("#grid li")
    assert axe_violations(page) == []
    show("red")
    page.open(live.address)
    page.until("return document.querySelector('.correction button')")
    page.press(".correction button")
    page.until("return getComputedStyle(document.querySelector('.verdict')).opacity === '1'")
    assert axe_violations(page) == []
