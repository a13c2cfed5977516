"""Links within the repository lead to files and headings that exist, and every page can be reached."""

from __future__ import annotations

import re

import pytest
from manual import INDEX, LINK, ROOT, name_of, pages

NAMES = [*(name_of(page) for page in pages()), "CONTRIBUTING.md"]


def prose_of(path):
    return re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors(path):
    """Give the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose_of(path), re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower().replace("`", "")) for heading in headings]
    return {heading.strip().replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name):
    page = ROOT / name
    for target in LINK.findall(prose_of(page)):
        if re.match(r"https?:|mailto:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), target
        assert ROOT in (there, *there.parents), target
        if anchor:
            assert anchor in anchors(there), target


def test_the_index_names_every_page():
    assert {path.name for path in INDEX.parent.glob("*.md")} == {page.name for page in pages()[1:]}
