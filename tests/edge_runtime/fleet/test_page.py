"""The fleet's page in a real browser: search, sorting, and nothing that a device has sent runs."""

from __future__ import annotations

import pytest
from report_pages import report_page_checker

from edge_runtime.fleet.attention import by_urgency
from edge_runtime.fleet.page import fleet_page

NAMES = "return [...document.querySelectorAll('#devices tr')].filter(r => !r.hidden).map(r => r.cells[0].textContent)"
SEARCH = """
const search = document.getElementById("search");
search.value = %r;
search.dispatchEvent(new Event("input"));
"""
SORT = "[...document.querySelectorAll('thead button')].find(b => b.textContent === %r).click()"


@pytest.fixture
def page(make_device, tmp_path):
    """Return the page of four devices."""
    devices = [
        make_device("barn", temperature_c=9.5),
        make_device("yard", online=False, temperature_c=61.0),
        make_device("porch", free_bytes=10**8, tags=("north",), temperature_c=None),
        make_device("<img src=x onerror=alert(1)>", state="refused", detail="stable 4: <script>alert(1)</script>"),
    ]
    path = tmp_path / "fleet.html"
    path.write_text(fleet_page(by_urgency(devices, 1e9), 1e9), encoding="utf-8")
    return path


def test_it_works_on_a_phone_and_in_the_dark(page):
    with report_page_checker() as check:
        assert check(page) == 0


def test_search_and_sorting(page):
    with report_page_checker() as check:
        browser = check.open_browser()
        browser.open(page.as_uri())
        urgency = ["yard", "<img src=x onerror=alert(1)>", "porch", "barn"]
        assert browser.run(NAMES) == urgency
        browser.run(SEARCH % "north")
        assert browser.run(NAMES) == ["porch"]
        assert browser.run("return document.getElementById('shown').textContent") == "1 of 4 shown"
        browser.run(SEARCH % "")
        browser.run(SORT % "temperature")
        assert browser.run(NAMES)[1:] == ["barn", urgency[1], "yard"]
        browser.run(SORT % "temperature")
        assert browser.run(NAMES)[:3] == ["yard", urgency[1], "barn"]
        browser.run(SORT % "temperature")
        assert browser.run(NAMES) == urgency
