"""Open a report page in a headless Chromium, as a phone and a desktop show it."""

from __future__ import annotations

from contextlib import contextmanager

from chromium import browsers

PICTURES = "return [...document.images].map(image => image.complete && image.naturalWidth > 0)"
TOO_WIDE = "return document.documentElement.scrollWidth - window.innerWidth"
BACKGROUND = "return getComputedStyle(document.body).backgroundColor"


@contextmanager
def report_page_checker():
    """Yield a function that checks a page and returns its number of pictures. Skip the test without Chromium.

    It checks that the page refers to no network address, that every picture is loaded, that nothing is written to the
    console, that a phone need not scroll it sideways, and that its background follows the dark mode.
    """
    with browsers() as open_browser:

        def check(page):
            assert "http" not in page.read_text(encoding="utf-8")
            for phone in (True, False):
                browser = open_browser(phone=phone)
                browser.open(page.as_uri())
                loaded = browser.run(PICTURES)
                assert all(loaded)
                assert browser.run(TOO_WIDE) <= 0
                light = browser.run(BACKGROUND)
                browser.prefer_dark()
                assert browser.run(BACKGROUND) != light
                assert browser.console() == []
            return len(loaded)

        check.open_browser = open_browser
        yield check
