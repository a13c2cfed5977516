"""Links within the repository point to existing files and headings, and the index links to every page."""

from __future__ import annotations

import re

import pytest
from manual import INDEX, LINK, ROOT, name_of, pages

NAMES = [*(name_of(page) for page in pages()), "CONTRIBUTING.md"]


def prose_of(path):
    return re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors(path):
    """Return the anchors that GitHub generates for a page's headings."""
    headings = re.findall(r"^#+ (.+)$", prose_of(path), re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower().replace("`", "")) for heading in headings]
    return {heading.strip().replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("name", NAMES)
def test_links_point_to_existing_files_and_headings(name):
    page = ROOT / name
    for target in LINK.findall(prose_of(page)):
        if re.match(r"https?:|mailto:", target):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        assert ROOT in (linked, *linked.parents), target
        if anchor:
            assert anchor in anchors(linked), target


def test_the_index_links_to_every_page():
    assert {path.name for path in INDEX.parent.glob("*.md")} == {page.name for page in pages()[1:]}
